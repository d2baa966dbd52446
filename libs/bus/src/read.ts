/**
 * The reader's side of a lane (R5): its batches in order, whole, prefetched and bounded.
 *
 * Before the first batch, and again after every reconnect, the lane must still be the one that the position (or, later,
 * the last message read) speaks of: the stream has the route's uid, the lane's last message is not before it, and the
 * message there has the same writer and ends where the totals say (R12). Then each message must begin where the last
 * one ended. What does not fit is an AlarmError, and the end of reading.
 */
import { DeliverPolicy } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import { Budget, type Hold } from './budget.ts'
import type { Bus } from './connect.ts'
import { AlarmError } from './errors.ts'
import { checkPosition, checkStream, decodeHeader, type LaneHeader } from './message.ts'
import { dataStream, type LaneName, laneSubject } from './names.ts'
import { OrderedReader } from './ordered.ts'
import type { Place } from './positions.ts'

/** What to read, and from where. */
export interface LaneReaderOptions {
  bus: Bus
  lane: LaneName
  /** The route's uid, which the stream must have. */
  uid: string
  /** Read on after this message; sequence 0: from the lane's beginning. */
  after: Place
  /** How many records the lane holds up to there: the sum of the position's totals. */
  base: number
  /** Bytes to ask for at a time; at most twice as much waits to be taken. 2 MiB unless said. */
  prefetchBytes?: number
  /** What it shares with the other lanes of this process; absent: it has no others. */
  budget?: Budget
  signal: AbortSignal
}

/** One batch of a lane: a message, or several parts joined. An opening batch has no records and no payload. */
export interface LaneBatch extends LaneHeader {
  /** The sequence of its (last) message: what a position names once the batch is delivered. */
  sequence: number
  payload: Buffer
}

/** What has come and is not taken yet, and since when at least something was there, by `performance.now()`. */
export interface Waiting {
  records: number
  bytes: number
  since: number
  /** No more is asked for until something is taken: so much is held already, here or by the process's other lanes. */
  isFull: boolean
}

/** When to stop waiting for batches: where `enough` says so of what is there, or `atMost` milliseconds have passed. */
export interface Patience {
  enough?: () => boolean
  atMost?: number
}

/** Enough for the largest message of the bus, with all that NATS counts as its size. */
const leastPull = 1.125 * 2 ** 20

/**
 * Starts reading; batches come by `take`, `waiting` says when.
 *
 * What waits, what is being delivered, and what a pull is sure to bring counts against the process's budget (R8). Where
 * that is spent, the next message is asked for when everything before it is delivered.
 */
export class LaneReader {
  readonly #options: LaneReaderOptions
  readonly #ordered: OrderedReader
  readonly #queue: LaneBatch[] = []
  #queuedBytes = 0
  readonly #budget: Budget
  /** All that this lane has in memory; in it what was taken and is being delivered, and what a pull is yet to bring. */
  readonly #held: Hold
  #takenBytes = 0
  #askedBytes = 0
  #waitingSince = 0
  /** Nothing more is asked for, until something is taken. */
  #isFull = false
  /** Batches with records read so far, and messages that the lane held beyond the last of them. */
  #batches = 0
  #beyond = 0
  /** Records before the next batch to take. */
  #taken: number
  #place: Place
  #base: number
  #group: Group | undefined
  #wake: (() => void) | undefined
  #ended = false
  #failure: unknown

  constructor(options: LaneReaderOptions) {
    this.#options = options
    this.#place = options.after
    this.#base = this.#taken = options.base
    this.#budget = options.budget ?? new Budget(Number.POSITIVE_INFINITY)
    this.#held = this.#budget.hold()
    this.#ordered = new OrderedReader({
      bus: options.bus,
      stream: dataStream(options.lane.route),
      filter: laneSubject(options.lane),
      signal: options.signal,
      start: () => ({ deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#place.sequence + 1 }),
      check: () => this.#check(),
      made: pending => {
        this.#beyond = pending
      },
      deliver: (message, sequence, pending) => this.#deliver(message, sequence, pending),
      ask: () => this.#ask(),
    })
    void this.#run()
  }

  /** The next batch, where one waits. */
  take(): LaneBatch | undefined {
    const batch = this.#queue.shift()
    if (batch !== undefined) {
      this.#queuedBytes -= batch.payload.length
      this.#takenBytes += batch.payload.length
      this.#taken += batch.count
      this.#ordered.more()
    }
    return batch
  }

  /** The batch that `take` would return. */
  get next(): LaneBatch | undefined {
    return this.#queue[0]
  }

  /** Records that wait here, and those that the lane holds beyond: estimated, by the batches read so far. */
  get pending(): number {
    const perBatch = this.#batches === 0 ? 1 : (this.#base - this.#options.base) / this.#batches
    return this.#base - this.#taken + Math.round(this.#beyond * perBatch)
  }

  /** What has come and is not taken yet. */
  get waits(): Waiting {
    const records = this.#base - this.#taken
    return { records, bytes: this.#queuedBytes, since: this.#waitingSince, isFull: this.#isFull }
  }

  /**
   * Resolves when a batch waits, and enough of them where that is said; when it took too long; or when the signal aborts
   * (the reader's own does too). Rejects with AlarmError or PermissionError where reading can't go on; what was
   * read before that is taken first. What was taken before this call is done with.
   */
  async waiting(signal: AbortSignal, { enough = () => true, atMost }: Patience = {}): Promise<void> {
    this.#held.add(-this.#takenBytes)
    this.#takenBytes = 0
    this.#ordered.more()
    if (signal.aborted) return
    const goesOn = () => !this.#ended && (this.#queue.length === 0 || !enough())
    if (goesOn()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = () => goesOn() || resolve()
      const over = () => resolve()
      const timer = atMost === undefined ? undefined : setTimeout(over, atMost)
      signal.addEventListener('abort', over, { once: true })
      await promise
      signal.removeEventListener('abort', over)
      clearTimeout(timer)
      this.#wake = undefined
    }
    if (this.#failure !== undefined && this.#queue.length === 0) throw this.#failure
  }

  async #run(): Promise<void> {
    try {
      await this.#ordered.run()
    } catch (error) {
      this.#failure = error
    }
    this.#ended = true
    this.#giveUpAsking()
    this.#held[Symbol.dispose]()
    this.#wake?.()
  }

  async #check(): Promise<void> {
    this.#giveUpAsking()
    const { bus, lane, uid } = this.#options
    await checkStream(bus, lane, uid)
    await checkPosition(bus, lane, this.#place, this.#base)
  }

  /**
   * A lane that has nothing to pass on gets its next message whatever the others hold: what it has may be a part of a
   * batch, and the rest must come.
   */
  #ask(): number {
    const { prefetchBytes = 2 * 2 ** 20 } = this.#options
    const least = Math.min(prefetchBytes, leastPull)
    this.#giveUpAsking()
    const hasNothing = this.#queue.length === 0 && this.#takenBytes === 0
    this.#isFull = this.#queuedBytes >= prefetchBytes || !(hasNothing || this.#budget.room)
    if (this.#isFull) {
      this.#wake?.()
      return 0
    }
    if (this.#beyond === 0) return least
    const bytes = this.#budget.room ? prefetchBytes : least
    if (!this.#budget.ask(bytes, this.#askAgain)) return 0
    this.#askedBytes = bytes
    this.#held.add(bytes)
    return bytes
  }

  readonly #askAgain = (): void => this.#ordered.more()

  #giveUpAsking(): void {
    const bytes = this.#askedBytes
    this.#askedBytes = 0
    this.#held.add(-bytes)
    this.#budget.came(bytes)
  }

  #came(bytes: number): void {
    const asked = Math.min(bytes, this.#askedBytes)
    this.#askedBytes -= asked
    this.#held.add(bytes - asked)
    this.#budget.came(asked)
  }

  #deliver(message: Msg, sequence: number, pending: number): void {
    const header = decodeHeader(message.headers, sequence)
    if (header.base !== this.#base) {
      throw new AlarmError(
        'lane_gap',
        `Message ${sequence} of ${message.subject} begins after ${header.base} records; ${this.#base} were read.`,
      )
    }
    this.#came(message.data.length)
    this.#place = { sequence, writer: header.writer }
    if (header.count > 0) this.#batches++
    this.#beyond = pending
    // The pull goes on, and brings nothing for sure.
    if (pending === 0) this.#giveUpAsking()
    const payload = this.#whole(header, Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length))
    if (payload === undefined) return
    this.#base += header.count
    if (this.#queue.length === 0) this.#waitingSince = performance.now()
    this.#queue.push({ ...header, sequence, payload })
    this.#queuedBytes += payload.length
    this.#wake?.()
  }

  /** The batch's bytes when this message completes it. A group that its writer never finished is dropped (R4). */
  #whole({ part, writer }: LaneHeader, payload: Buffer): Buffer | undefined {
    const [index = 0, count = 0] = part?.split('/').map(Number) ?? []
    if (index <= 1) this.#dropGroup()
    if (part === undefined) return payload
    if (index === 1) this.#group = { writer, count, parts: [] }
    const group = this.#group
    if (group === undefined || group.writer !== writer || group.count !== count || group.parts.length !== index - 1) {
      throw new AlarmError('lane_gap', `Part ${part} of a batch came without the parts before it.`)
    }
    group.parts.push(payload)
    if (index < count) return undefined
    this.#group = undefined
    return Buffer.concat(group.parts)
  }

  #dropGroup(): void {
    for (const part of this.#group?.parts ?? []) this.#held.add(-part.length)
    this.#group = undefined
  }
}

/** The parts of a batch so far. */
interface Group {
  writer: string
  count: number
  parts: Buffer[]
}
