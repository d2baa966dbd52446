import { batchSize, lengthEnd } from './batch-header.ts'
import { BatchError } from './errors.ts'
import { BatchReader } from './reader.ts'
import type { RecordView } from './record.ts'

const nothing = Buffer.alloc(0)

/**
 * Reads record sets, one after another: batches back to back, as a lane's message holds them. `open(set, count)`, then
 * `next()` for each record, through all batches. As with BatchReader, `view` is one object, and whatever the bytes are,
 * there come records or a BatchError.
 */
export class RecordSetReader {
  /** The record that `next` moved to. */
  readonly view: RecordView
  readonly #reader: BatchReader
  #set: Buffer = nothing
  #batchStart = 0
  #batchEnd = 0
  #baseOffset = 0n
  /** Records that the set should have, and of these those in batches that are not open yet. */
  #count = 0
  #left = 0

  /** `maxBytes`: the most that the records of one compressed batch may come to. */
  constructor({ maxBytes }: { maxBytes: number }) {
    this.#reader = new BatchReader({ maxBytes })
    this.view = this.#reader.view
  }

  /** The offset of the record that `next` moved to, as its batch has it. */
  get offset(): bigint {
    return this.#baseOffset + BigInt(this.#reader.offsetDelta)
  }

  /** What was not read: from the beginning of the batch that is being read, or could not be. */
  get rest(): Buffer {
    return this.#set.subarray(this.#batchStart)
  }

  /** Stands before the first record of a set that must have `count` records. */
  open(set: Buffer, count: number): void {
    this.#reader.close()
    this.#set = set
    this.#batchStart = this.#batchEnd = 0
    this.#count = this.#left = count
  }

  /**
   * Moves to the next record; false after the last one. Throws BatchError, `truncated` also where the last batch is cut,
   * `malformed` also where there are more records or fewer than there must be: the records before were good, and no
   * more come, none at all of a batch whose header does not fit.
   */
  next(): boolean {
    try {
      while (!this.#reader.next()) {
        if (this.#left === 0 && this.#batchEnd === this.#set.length) return false
        this.#openBatch()
      }
      return true
    } catch (error) {
      this.#reader.close()
      this.#batchEnd = this.#set.length
      this.#left = 0
      throw error
    }
  }

  #openBatch(): void {
    const [set, start] = [this.#set, this.#batchEnd]
    this.#batchStart = start
    const end = set.length - start < lengthEnd ? set.length : Math.min(set.length, start + batchSize(set, start))
    const { baseOffset, count } = this.#reader.open(set.subarray(start, end))
    this.#baseOffset = baseOffset
    this.#batchEnd = end
    this.#left -= count
    if (this.#left < 0 || (this.#left > 0 && end === set.length)) {
      const found = this.#count - this.#left
      throw new BatchError('malformed', `${found} records where ${this.#count} were announced.`)
    }
  }
}
