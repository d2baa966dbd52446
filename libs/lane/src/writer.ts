/**
 * The source's side of a lane: group commit. Records are copied into the batch being built while the one before it
 * is being stored; whole record batches join it as they are. A batch closes when the append before it has returned
 * *and* its linger has passed, or when it is full. One append at a time, so the lane's order is the order of `add` and
 * `pass`.
 *
 * Invariants:
 * 1. `stored(n)` is called only when every record and every dead letter up to ordinal n is durable (R1, R12), in order.
 * 2. Dead letters are stored before the batch that they belong to, because the batch's position moves past them. Where
 *    there are no other records, the position goes into the lane by itself: a restart makes none of them again.
 * 3. What is unstored is bounded in records and bytes by the lane's share, and by the process's budget, give or take what
 *    one turn of the event loop adds after `room` was false (R8).
 * 4. `position()` is never asked within `add` or `pass`: its source may be between the records and their position.
 */
import {
  type AppenderOptions,
  Budget,
  type DeadLetter,
  DeadLetters,
  type Hold,
  type LaneAppender,
  openLane,
  StoppedError,
} from '@millrace/bus'
import { BatchBuilder, BatchError, type RecordView } from '@millrace/record'
import { randomUUID } from 'node:crypto'
import { Linger } from './linger.ts'
import type { LaneWriter, Problem, SourceEvents } from './ports.ts'
import { sizeOf, withoutTooLarge } from './too-large.ts'

/** A batch is closed at this size, even while the one before it is being stored. */
const fullBytes = 256 * 1024
/** What a message holds that only says a position. */
const nothing = Buffer.alloc(0)

/** What a writer counts; plain integers that it adds to. */
export interface WriterCounts {
  /** Records stored in the lane. */
  in: number
  /** Records stored as dead letters instead. */
  refused: number
  /** Records added and not stored yet. */
  pending: number
}

/** Which lane to write, for whom, and how much. */
export interface WriterOptions extends AppenderOptions {
  events: SourceEvents
  /** How much may be unstored (R8). */
  share: { records: number; bytes: number }
  /** What it shares with the other lanes of this process; absent: it has no others. */
  budget?: Budget
  /** A larger record becomes a dead letter; absent: a quarter of the share. */
  maxRecordBytes?: number
  /** Whether a compressed batch that is passed is decompressed to find such records; else it counts as it is stored. */
  decompress?: boolean
  counts: WriterCounts
}

/** Opens the lane (R4) and starts storing. Rejects as `openLane` does. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  return new Writer(options, await openLane(options))
}

/** A batch of the lane (one record batch, or several) that is closed, and the dead letters that go before it. */
interface Closed {
  /** Undefined where there are dead letters only. */
  payload: Buffer | undefined
  count: number
  bytes: number
  position: string
  firstTime: number
  letters: DeadLetter[]
  lastOrdinal: number
}

/** A lane open for writing. */
export class Writer implements LaneWriter {
  readonly position: string | undefined
  /** Rejects when nothing more can be stored: FencedError, AlarmError, PermissionError, or StoppedError. */
  readonly ended: Promise<never>
  readonly #options: WriterOptions
  readonly #appender: LaneAppender
  readonly #deadLetters: DeadLetters
  readonly #id = randomUUID()
  readonly #linger = new Linger()
  readonly #builder = new BatchBuilder()
  readonly #letterBuilder = new BatchBuilder()
  readonly #maxRecordBytes: number
  /** What will be stored next: record batches and how many records they hold, but for those in the builder. */
  #batches: Buffer[] = []
  #count = 0
  #letters: DeadLetter[] = []
  #batchBytes = 0
  #firstTime = 0
  #timer: NodeJS.Timeout | undefined
  /** The batch's linger has passed: it closes when the append before it has returned. */
  #due = false
  /** The batch is full: it closes at the end of this turn. */
  #full = false
  #storing = false
  readonly #closed: Closed[] = []
  #ordinal = 0
  #storedOrdinal = 0
  readonly #unstored: Hold
  /** Batches and marks that were closed, and of these those that are stored. */
  #closedCount = 0
  #storedCount = 0
  #hadRoom = true
  #flushes: { upTo: number; resolve: () => void }[] = []
  #wake: () => void = () => {}

  constructor(options: WriterOptions, appender: LaneAppender) {
    this.#options = options
    this.#appender = appender
    this.#unstored = (options.budget ?? new Budget(options.share.bytes)).hold()
    this.#deadLetters = new DeadLetters(options, options.lane)
    this.#maxRecordBytes = options.maxRecordBytes ?? options.share.bytes / 4
    this.position = appender.previous
    // What a run before this one had not stored comes again.
    options.counts.pending = 0
    this.ended = this.#storeForEver()
    // Also where nobody races it.
    this.ended.catch(() => {
      clearTimeout(this.#timer)
      this.#unstored[Symbol.dispose]()
    })
  }

  get room(): boolean {
    const { records, bytes } = this.#options.share
    const { bytes: unstored, room } = this.#unstored
    this.#hadRoom = this.#ordinal - this.#storedOrdinal < records && unstored < bytes && room
    return this.#hadRoom
  }

  add(view: RecordView): number {
    if (sizeOf(view) > this.#maxRecordBytes) return this.#refuseLarge(view)
    const before = this.#builder.bytes
    try {
      this.#builder.add(view)
    } catch (error) {
      if (!(error instanceof BatchError)) throw error
      return this.refuse({ ...view, timestamp: -1 }, { code: 'bad_record', message: error.message })
    }
    return this.#added(1, this.#builder.bytes - before)
  }

  pass(batches: Buffer, count: number): number {
    this.#finishAdded()
    const before = this.#ordinal
    const most = { bytes: this.#maxRecordBytes, decompress: this.#options.decompress ?? false }
    const kept = withoutTooLarge(batches, most, (view, offset) => this.#refuseLarge(view, offset))
    const keptCount = count - (this.#ordinal - before)
    this.#batches.push(kept)
    this.#count += keptCount
    return this.#added(keptCount, kept.length)
  }

  refuse(view: RecordView, { code, message }: Problem): number {
    this.#letterBuilder.add(view)
    const payload = this.#letterBuilder.finish()
    const { source } = this.#options
    const id = `${this.#id}.${this.#ordinal + 1}`
    this.#letters.push({
      payload,
      count: 1,
      reason: code,
      detail: message,
      id,
      ...(source === undefined ? {} : { source }),
    })
    return this.#added(1, payload.length)
  }

  #refuseLarge(view: RecordView, offset?: bigint): number {
    const where = offset === undefined ? '' : ` at offset ${offset}`
    const most = Math.floor(this.#maxRecordBytes)
    const message = `A record of ${sizeOf(view)} bytes${where}; the lane takes ${most}.`
    return this.refuse(view, { code: 'too_large', message })
  }

  async flush(): Promise<void> {
    this.#close()
    const upTo = this.#closedCount
    if (this.#storedCount >= upTo) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#flushes.push({ upTo, resolve })
    await Promise.race([promise, this.ended])
  }

  mark(): void {
    this.#close()
    this.#enqueue({ payload: nothing, count: 0, bytes: 0, firstTime: Date.now(), letters: [] })
  }

  /** So many records, stored or dead letters, and what they take. */
  #added(count: number, bytes: number): number {
    this.#ordinal += count
    this.#batchBytes += bytes
    this.#unstored.add(bytes)
    this.#options.counts.pending = this.#ordinal - this.#storedOrdinal
    if (this.#batchBytes === bytes) this.#begin()
    if (this.#batchBytes >= fullBytes && !this.#full) {
      this.#full = true
      queueMicrotask(() => this.#close())
    }
    return this.#ordinal
  }

  /** The batch has its first record. */
  #begin(): void {
    this.#firstTime = Date.now()
    const linger = this.#linger.begin(performance.now())
    if (linger === 0) queueMicrotask(() => this.#lingered())
    else this.#timer = setTimeout(() => this.#lingered(), linger)
  }

  #lingered(): void {
    this.#due = true
    if (!this.#storing) this.#close()
  }

  /** Closes the batch, where there is one. */
  #close(): void {
    clearTimeout(this.#timer)
    this.#due = false
    this.#full = false
    if (this.#batchBytes === 0) return
    this.#finishAdded()
    const [batches, count, bytes, letters] = [this.#batches, this.#count, this.#batchBytes, this.#letters]
    this.#linger.closed(count, performance.now())
    this.#batches = []
    this.#count = this.#batchBytes = 0
    this.#letters = []
    const payload = batches.length > 1 ? Buffer.concat(batches) : batches[0]
    this.#enqueue({ payload, count, bytes, firstTime: this.#firstTime, letters })
  }

  /** Makes a record batch of what was added one by one. */
  #finishAdded(): void {
    const { count } = this.#builder
    if (count === 0) return
    this.#batches.push(this.#builder.finish())
    this.#count += count
  }

  /** Behind everything that was added before, with the position after it. */
  #enqueue(batch: Omit<Closed, 'position' | 'lastOrdinal'>): void {
    this.#closedCount++
    this.#closed.push({ ...batch, position: this.#options.events.position(), lastOrdinal: this.#ordinal })
    this.#wake()
  }

  async #storeForEver(): Promise<never> {
    const { signal } = this.#options
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      this.#storing = true
      if (this.#due) this.#close()
      for (let closed = this.#closed.shift(); closed !== undefined; closed = this.#closed.shift()) {
        await this.#store(closed)
        if (this.#due && this.#closed.length === 0) this.#close()
      }
      this.#storing = false
      if (signal.aborted) break
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    throw new StoppedError('Stopped.')
  }

  async #store({ payload, count, bytes, position, firstTime, letters, lastOrdinal }: Closed): Promise<void> {
    for (const letter of letters) await this.#deadLetters.store(letter)
    if (payload !== undefined || position !== this.#appender.position)
      await this.#appender.append({ payload: payload ?? nothing, count, position, firstTime })
    const { counts, events } = this.#options
    counts.in += count
    counts.refused += letters.length
    this.#storedOrdinal = lastOrdinal
    this.#storedCount++
    this.#unstored.add(-bytes)
    counts.pending = this.#ordinal - lastOrdinal
    this.#flushes = this.#flushes.filter(({ upTo, resolve }) => upTo > this.#storedCount || resolve())
    events.stored(lastOrdinal)
    if (!this.#hadRoom && this.room) events.roomAgain()
  }
}
