/**
 * Exactly once: the sink keeps the lane's position itself, and moves it on in one transaction with the records. What is
 * in `mr_positions` is a copy of it, behind.
 *
 *   doubtful --recover--> sure --write--> doubtful --dead letters stored, commit--> sure
 *       ^                                    |
 *       \-----------hold, unknown------------/
 *
 * While it is doubtful, nothing is sent before `recover` has said where the sink stands: at the position before, so the
 * delivery is given to it again from its beginning; or at the one tried last, so it was delivered. A third means that
 * another owner wrote. Who may go on is then for `mr_positions` to say: the actor starts again, and claims that.
 *
 * Where the sink keeps the position is part of the route, and may change. The copy names the place, and before anything is
 * committed in a new one: so what an earlier owner committed in the old one, and the copy does not know of, is found.
 */
import { type KeptPosition, readKeptPosition, recordsBehind, writeKeptPosition } from '@millrace/bus'
import { isSettled, type Delivery, type Outcome, type Settled, type Stop } from './ports.ts'
import type { Settlement } from './settlement.ts'

/** How `recover` ended. `position`: the text of what was committed last; undefined where there is nothing. */
export type Recovery = { is: 'done'; position: string | undefined } | Stop

/** A sink that keeps the lane's position. Called by one engine, one call at a time. */
export interface TransactionalSink {
  /** Where it keeps the position: a name that it knows the place by. */
  readonly keptIn: string
  /** Undoes what was written and not committed, shuts out whoever wrote it, and tells the position. It comes first. */
  recover(): Promise<Recovery>
  /** The position that was committed last in another place. After `recover`, so that nothing can change it. */
  positionIn(place: string): Promise<Recovery>
  /**
   * Writes the records, in order, so that they count when they are committed. It reads the cursor to its end before its
   * first wait. After `hold` and `unknown` the engine calls `recover`, and then this with the same records.
   */
  write(delivery: Delivery): Promise<Outcome>
  /** Makes what was written count, and the position with it: both or neither. `records`: how many are behind it. */
  commit(position: { text: string; records: number }): Promise<Outcome>
  /** As with every sink. */
  close(): Promise<void>
}

/** Sinks forget a position that is not committed for long (Kafka: after 7 days). */
const day = 24 * 3_600_000

/** What the engine does in each attempt to deliver. */
export interface Step {
  /** Gives the sink the records, from the first. */
  write(): Promise<Outcome>
  /** Stores what can never pass (R7), and says where the lane is when the rest is delivered. */
  settle(outcome: Settled): Promise<Settlement>
}

/** One lane's transactions, in the order that keeps them exact. */
export class ExactlyOnce {
  readonly #sink: TransactionalSink
  #doubtful = true
  #committed: string | undefined
  #tried: { text: string; settlement: Settlement } | undefined
  #dueAt = performance.now() + day

  constructor(sink: TransactionalSink) {
    this.#sink = sink
  }

  /** Where the sink keeps the position. */
  get keptIn(): string {
    return this.#sink.keptIn
  }

  /**
   * Where the sink stands, by what was committed where it keeps the position, and where it was kept `before`; no position
   * where there is none. AlarmError where there is one that is none of ours.
   */
  async open(before: string | undefined): Promise<{ is: 'done'; position: KeptPosition | undefined } | Stop> {
    const found = await this.#sink.recover()
    if (found.is !== 'done') return found
    const elsewhere = before !== undefined && before !== this.keptIn
    const earlier = elsewhere ? await this.#sink.positionIn(before) : found
    if (earlier.is !== 'done') return earlier
    this.#doubtful = false
    this.#committed = found.position
    const [own, old] = [found, earlier].map(({ position }) =>
      position === undefined ? undefined : readKeptPosition(position),
    )
    return { is: 'done', position: old !== undefined && (own === undefined || isFurther(old, own)) ? old : own }
  }

  /** Whether it is time to commit the position again, though it has not moved. */
  get isDue(): boolean {
    return performance.now() >= this.#dueAt
  }

  /** In how many milliseconds it is. */
  get dueIn(): number {
    return Math.max(0, Math.ceil(this.#dueAt - performance.now()))
  }

  /** One attempt at a delivery, and after `hold` and `unknown` the next one at the same. */
  async attempt(step: Step): Promise<Settlement | Stop> {
    if (this.#doubtful) {
      const found = await this.#sink.recover()
      if (found.is !== 'done') return found
      this.#doubtful = false
      if (this.#tried !== undefined && found.position === this.#tried.text) return this.#reached(this.#tried)
      if (found.position !== this.#committed) throw new Error('The position that the sink keeps was moved by another.')
    }
    this.#doubtful = true
    const outcome = await step.write()
    if (!isSettled(outcome)) return outcome
    const settlement = await step.settle(outcome)
    const text = writeKeptPosition(settlement.behind)
    this.#tried = { text, settlement }
    const committed = await this.#sink.commit({ text, records: recordsBehind(settlement.behind.totals) })
    if (!isSettled(committed)) return committed
    this.#doubtful = false
    return this.#reached(this.#tried)
  }

  #reached({ text, settlement }: { text: string; settlement: Settlement }): Settlement {
    this.#committed = text
    this.#tried = undefined
    this.#dueAt = performance.now() + day
    return settlement
  }
}

/** Whether it is behind the other one in the lane. Opening batches move the place, and hold no records. */
export function isFurther({ place, totals }: KeptPosition, than: KeptPosition): boolean {
  const more = recordsBehind(totals) - recordsBehind(than.totals)
  return more > 0 || (more === 0 && place.sequence > than.place.sequence)
}
