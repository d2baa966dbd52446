/**
 * The sink's side of a lane: reads it in order, filters, merges what waits, hands it to the sink, and moves the
 * position on when the sink has confirmed it (R2) and every dead letter is stored (R7).
 *
 *   read --> deliver --done, refused--> dead letters stored --> position moves on --> read
 *              ^  \--hold, unknown--> wait --\
 *              \------- again() -------------/
 *
 * While a delivery is under way the next batches are prefetched. Draining stops reading, ends what is under way and
 * commits; what holds is left to the next owner, because nothing of it counts as delivered.
 */
import { backoff, delay } from '@millrace/actor'
import {
  type Budget,
  type Bus,
  checkPosition,
  claimPosition,
  dataStream,
  DeadLetters,
  type KeptPosition,
  type LaneBatch,
  type LaneName,
  LaneReader,
  persist,
  type Position,
  type Problem,
  recordsBehind,
  type ServiceName,
  StoppedError,
} from '@millrace/bus'
import { Committer } from './committer.ts'
import { Cursor, type Filter } from './cursor.ts'
import { ExactlyOnce, isFurther, type TransactionalSink } from './exactly-once.ts'
import { gather, isEnough, type Linger, type Most, timeLeft } from './gather.ts'
import { letterOf } from './letter.ts'
import type { RoutePath } from './path.ts'
import { isSettled, type Outcome, type Settled, type Sink, type Stop } from './ports.ts'
import { type Settlement, settlementOf } from './settlement.ts'
import type { Sampling, Tap } from './tap.ts'

/** What a sink's side counts; plain integers that it adds to. */
export interface DeliverCounts {
  out: number
  dead: number
  filtered: number
  /** Records that the lane holds beyond what is delivered; an estimate where they are not read yet. */
  pending: number
}

/** Which lane to deliver, for whom, and where to. */
export interface DeliverOptions {
  bus: Bus
  /** Names the source's service. */
  lane: LaneName
  /** Whose position and dead letters these are. */
  sinkService: ServiceName
  uid: string
  epoch: number
  /** One that keeps the position itself makes it exactly once. */
  sink: Sink | TransactionalSink
  filter?: Filter
  /** What a record that passes is marked with, so that one that comes back is known; see `pathThrough`. */
  path?: RoutePath | undefined
  /** How much of what waits becomes one delivery. 5000 records and 1 MiB unless said. */
  merge?: Most
  /** What waits is let gather, no longer than this; unless said it goes out at once. */
  linger?: Linger | undefined
  /** Nothing is sent any more once it has aborted. */
  signal: AbortSignal
  /** Stop reading, finish, commit, return. */
  draining: AbortSignal
  /** What it shares with the other lanes of this process; absent: it has no others. */
  budget?: Budget
  /** R11: asked before everything that is sent; false means that nothing more may be. */
  mayWrite?: () => boolean | Promise<boolean>
  state: (state: 'running' | 'holding', problem?: Problem) => void
  counts: DeliverCounts
  /** Told of each batch, once it is delivered: seconds since its first record came to the lane, and how many it holds. */
  latency?: { observe(seconds: number, times: number): void }
  /** Told of some records what became of them, while somebody looks in. */
  tap?: Tap
}

/**
 * Delivers until drained or aborted. Rejects with FencedError, AlarmError, PermissionError, or with what the sink
 * threw. The sink is closed in any case.
 */
export async function deliver(options: DeliverOptions): Promise<void> {
  try {
    await new Engine(options).run()
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error
  } finally {
    await options.sink.close()
  }
}

const usualMost: Most = { records: 5_000, bytes: 2 ** 20 }
/** While one delivery is under way the next one comes, but no less than this: a message of the bus has 1 MB. */
const leastAhead = 2 * 2 ** 20

class Engine {
  readonly #options: DeliverOptions
  readonly #lane: LaneName
  readonly #owner
  readonly #cursor: Cursor
  readonly #deadLetters: DeadLetters
  readonly #exactlyOnce: ExactlyOnce | undefined
  /** Up to where the lane is delivered, and how. */
  #at: KeptPosition = { place: { sequence: 0 }, totals: { out: 0, dead: 0, filtered: 0, parked: 0 } }
  #sampling: Sampling | undefined
  /** Aborts, with why, when the position can't be committed any more. */
  readonly #ended = new AbortController()
  /** Nothing is sent any more. */
  readonly #over: AbortSignal

  constructor(options: DeliverOptions) {
    this.#options = options
    const { bus, signal, mayWrite, state, sink } = options
    this.#over = AbortSignal.any([signal, this.#ended.signal])
    this.#lane = { ...options.lane, service: options.sinkService }
    const tell = (problem: Problem | undefined) =>
      problem === undefined ? state('running') : state('holding', problem)
    this.#owner = { bus, signal, tell, ...(mayWrite === undefined ? {} : { mayWrite }) }
    this.#cursor = new Cursor(options.filter, options.path)
    this.#deadLetters = new DeadLetters(this.#owner, this.#lane)
    this.#exactlyOnce = 'commit' in sink ? new ExactlyOnce(sink) : undefined
  }

  async run(): Promise<void> {
    const { bus, lane, uid, epoch, signal, draining, state, budget, merge = usualMost } = this.#options
    const position = await claimPosition({ ...this.#owner, lane: this.#lane, uid, epoch })
    if (this.#exactlyOnce !== undefined && !(await this.#resume(this.#exactlyOnce, position))) return
    this.#at = { place: position.place, totals: position.totals }
    const base = recordsBehind(position.totals)
    const reading = AbortSignal.any([this.#over, draining])
    const ahead = { prefetchBytes: Math.max(leastAhead, merge.bytes), ...(budget && { budget }) }
    const reader = new LaneReader({ bus, lane, uid, after: position.place, base, signal: reading, ...ahead })
    const committer = new Committer(position, error => this.#ended.abort(error))
    try {
      state('running')
      while (!reading.aborted) {
        await reader.waiting(reading, this.#exactlyOnce && { atMost: this.#exactlyOnce.dueIn })
        if (reading.aborted) break
        await this.#linger(reader, reading)
        if (!(await this.#deliver(this.#take(reader), committer))) break
      }
      this.#ended.signal.throwIfAborted()
      if (!signal.aborted) await committer.flush()
    } finally {
      this.#ended.abort()
      committer.stop()
    }
  }

  /**
   * The position that the sink keeps is the truth, and the one on the bus follows it; where that is further, the lane was
   * delivered without transactions meanwhile. Resolves with false where it is over before that is known.
   */
  async #resume(exactlyOnce: ExactlyOnce, copy: Position): Promise<boolean> {
    const { bus, lane } = this.#options
    const found = await this.#until(() => exactlyOnce.open(copy.keptIn))
    if (found === undefined) return false
    const ahead = found.position !== undefined && isFurther(found.position, copy) ? found.position : undefined
    if (ahead === undefined && copy.keptIn === exactlyOnce.keptIn) return true
    const { place, totals } = ahead ?? copy
    if (ahead !== undefined)
      await persist(this.#owner, dataStream(lane.route), () => checkPosition(bus, lane, place, recordsBehind(totals)))
    await copy.commit(place, totals, exactlyOnce.keptIn)
    return true
  }

  /** Lets what waits gather. Where the lane drains meanwhile, it goes out all the same. */
  async #linger(reader: LaneReader, reading: AbortSignal): Promise<void> {
    const { linger, counts } = this.#options
    const atMost = linger && timeLeft(linger, reader.waits, performance.now())
    if (!atMost) return
    const enough = () => {
      counts.pending = reader.pending
      return isEnough(linger, reader.waits)
    }
    await reader.waiting(reading, { atMost, enough })
  }

  /** What becomes the next delivery. */
  #take(reader: LaneReader): LaneBatch[] {
    const { merge = usualMost, counts } = this.#options
    counts.pending = reader.pending
    return gather(reader, merge)
  }

  /** Whether the batches are delivered; false: draining, or no longer the owner, so they are left to the next one. */
  async #deliver(batches: LaneBatch[], committer: Committer): Promise<boolean> {
    if (batches.length === 0 && !this.#exactlyOnce?.isDue) return true
    const settlement = await this.#until(attempt => this.#try(batches, attempt))
    if (settlement === undefined) return false
    const { aside, expired } = settlement
    if (this.#sampling !== undefined) this.#options.tap?.keep(this.#sampling.settled(aside, expired))
    this.#count(settlement)
    this.#at = settlement.behind
    this.#observe(batches)
    committer.reached(this.#at.place, this.#at.totals, bytesOf(batches))
    return true
  }

  async #try(batches: LaneBatch[], attempt: number): Promise<Settlement | Stop> {
    const { sink } = this.#options
    const write = () => this.#write(batches)
    const settle = (outcome: Settled) => this.#settle(batches, outcome)
    if (this.#exactlyOnce !== undefined) return this.#exactlyOnce.attempt({ write, settle })
    const outcome = await (attempt === 0 || 'commit' in sink ? write() : sink.again())
    return isSettled(outcome) ? settle(outcome) : outcome
  }

  async #write(batches: LaneBatch[]): Promise<Outcome> {
    this.#sampling = this.#options.tap?.begin()
    this.#cursor.begin(batches, this.#sampling)
    const outcome = await this.#options.sink.write(this.#cursor)
    if (!this.#cursor.atEnd) throw new Error('The sink did not read its delivery to the end.')
    return outcome
  }

  /** Until an attempt settles it; undefined where that is no longer for this owner to see. */
  async #until<Done extends Settled>(attempts: (attempt: number) => Promise<Done | Stop>): Promise<Done | undefined> {
    const { draining, state } = this.#options
    const over = this.#over
    const wait = backoff({ first: 100, cap: 10_000 })
    for (let attempt = 0; ; attempt++) {
      if (!(await this.#mayWrite())) return undefined
      const outcome = await attempts(attempt)
      if (over.aborted) return undefined
      if (isSettled(outcome)) {
        if (attempt > 0) state('running')
        return outcome
      }
      state('holding', outcome.problem)
      if (outcome.is === 'hold' && draining.aborted) return undefined
      await delay(wait.next(), outcome.is === 'hold' ? AbortSignal.any([over, draining]) : over)
    }
  }

  /** Stores what can never pass (R7). */
  async #settle(batches: readonly LaneBatch[], outcome: Settled): Promise<Settlement> {
    const settlement = settlementOf(this.#cursor, outcome, { batches, before: this.#at })
    for (const one of settlement.aside) await this.#deadLetters.store(letterOf(one, this.#options.uid))
    return settlement
  }

  #observe(batches: readonly LaneBatch[]): void {
    const now = Date.now()
    for (const { count, firstTime } of batches) {
      if (count > 0 && firstTime !== undefined) this.#options.latency?.observe((now - firstTime) / 1_000, count)
    }
  }

  #count({ out, dead, filtered }: Settlement): void {
    const { counts } = this.#options
    counts.out += out
    counts.dead += dead
    counts.filtered += filtered
    counts.pending -= out + dead + filtered
  }

  async #mayWrite(): Promise<boolean> {
    const { mayWrite } = this.#options
    return !this.#over.aborted && (mayWrite === undefined || (await mayWrite())) && !this.#over.aborted
  }
}

const bytesOf = (batches: LaneBatch[]): number => batches.reduce((sum, { payload }) => sum + payload.length, 0)
