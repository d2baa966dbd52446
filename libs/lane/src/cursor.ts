/**
 * The batches of one delivery as a sink reads them: record after record, without those that the filter leaves out.
 * What can't be decoded, or makes the filter throw, is set aside for the dead letters. One cursor for a lane.
 *
 * A record's *ordinal* counts all records of the delivery, the sink's *index* only those that it was given.
 */
import type { LaneBatch } from '@millrace/bus'
import { BatchError, RecordSetReader, type RecordView } from '@millrace/record'
import type { Aside } from './aside.ts'
import { RecordInput } from './input.ts'
import type { RoutePath } from './path.ts'
import type { Delivery, ExpressionInput, Made } from './ports.ts'
import type { Sampling } from './tap.ts'

/** What a compressed batch may come to. */
export const maxBatchBytes = 256 * 2 ** 20

/** Whether a record is wanted; it may throw. */
export type Filter = (input: ExpressionInput) => boolean

/** See above. `begin`, then the sink calls `next` until it is false. */
export class Cursor implements Delivery {
  readonly view: RecordView
  readonly input: ExpressionInput
  /** How many records the sink was given, and how many the filter left out. */
  given = 0
  filtered = 0
  aside: Aside[] = []
  readonly #reader = new RecordSetReader({ maxBytes: maxBatchBytes })
  readonly #input: RecordInput
  readonly #filter: Filter | undefined
  readonly #path: RoutePath | undefined
  /** Of each record that the sink was given: its ordinal. */
  readonly #ordinals: number[] = []
  #batches: LaneBatch[] = []
  /** The batch that is being read, how many of its records were, and how many records were before it. */
  #at = -1
  #read = 0
  #before = 0
  #sampling: Sampling | undefined
  readonly #tap = (made: () => Made): void => {
    const batch = this.#batches[this.#at]
    if (batch !== undefined) this.#sampling?.made({ batch, record: this.#read - 1, view: this.view }, made)
  }

  constructor(filter?: Filter, path?: RoutePath) {
    this.#filter = filter
    this.#path = path
    this.view = this.#reader.view
    this.input = this.#input = new RecordInput(this.#reader)
  }

  /** Stands before the first record of these batches; `sampling` where somebody looks in. */
  begin(batches: LaneBatch[], sampling?: Sampling): void {
    this.#batches = batches
    this.#sampling = sampling
    this.#at = -1
    this.#read = this.#before = this.given = this.filtered = 0
    this.aside = []
    this.#open()
  }

  get tap(): Delivery['tap'] {
    return this.#sampling && this.#tap
  }

  /** Whether the sink has read everything. */
  get atEnd(): boolean {
    return this.#at >= this.#batches.length
  }

  next(): boolean {
    for (let batch = this.#batches[this.#at]; batch !== undefined; batch = this.#batches[this.#at]) {
      if (!this.#step(batch)) {
        this.#open()
        continue
      }
      this.#input.moved(batch.source)
      const record = this.#read++
      if (!this.#wanted(batch, record) || !this.#passes(batch, record)) continue
      this.#ordinals[this.given++] = this.#before + record
      return true
    }
    return false
  }

  /** Where a record that the sink was given stands. RangeError for an index that it was never given. */
  find(index: number): { batch: LaneBatch; record: number } {
    let record = index < this.given ? (this.#ordinals[index] ?? -1) : -1
    for (const batch of record < 0 ? [] : this.#batches) {
      if (record < batch.count) return { batch, record }
      record -= batch.count
    }
    throw new RangeError(`The sink refuses record ${index}; it was given ${this.given}.`)
  }

  /** Goes on to the next batch. */
  #open(): void {
    this.#before += this.#batches[this.#at]?.count ?? 0
    this.#at++
    this.#read = 0
    const batch = this.#batches[this.#at]
    if (batch !== undefined) this.#reader.open(batch.payload, batch.count)
  }

  /** Moves to the batch's next record, if there is one. */
  #step(batch: LaneBatch): boolean {
    try {
      return this.#reader.next()
    } catch (error) {
      this.#setRestAside(batch, error)
      return false
    }
  }

  #wanted(batch: LaneBatch, record: number): boolean {
    if (this.#filter === undefined) return true
    try {
      if (this.#filter(this.input)) return true
      this.filtered++
      this.#sampling?.filtered(batch, record)
    } catch (error) {
      this.aside.push({
        batch,
        record,
        count: 1,
        problem: { code: 'expression', message: `The filter: ${reason(error)}` },
      })
    }
    return false
  }

  /** What comes back in a loop is set aside. */
  #passes(batch: LaneBatch, record: number): boolean {
    const problem = this.#path?.extend(this.view)
    if (problem === undefined) return true
    this.aside.push({ batch, record, count: 1, problem })
    return false
  }

  #setRestAside(batch: LaneBatch, error: unknown): void {
    if (!(error instanceof BatchError)) throw error
    const [record, rest] = [this.#read, this.#reader.rest]
    const after = record === 0 ? '' : ` Its first ${record} records were delivered.`
    const message = `Message ${batch.sequence} of the lane is no record batch: ${error.message}${after}`
    this.aside.push({ batch, rest, record, count: batch.count - record, problem: { code: 'bad_batch', message } })
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))
