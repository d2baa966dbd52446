/**
 * The two ports of the engine. A protocol is plugged in by one of them and knows nothing of NATS; the engine knows
 * nothing of protocols. Everything below speaks records.
 */
import type { Header, RecordView } from '@millrace/record'

/** What a user is told when something stands in the way: a word for metrics, and a sentence that says what to do. */
export interface Problem {
  /** Snake case, from a small closed set, e.g. `broker_unreachable`, `topic_missing`, `too_large`, `expression`. */
  code: string
  /** What, where, what was expected, what to do. Never a secret. */
  message: string
}

/** One record that can never pass (R7): it becomes a dead letter, stored durably, before the position moves on. */
export interface Refusal extends Problem {
  /** Which record of this delivery, counted from 0 in the order in which the cursor gave them. */
  index: number
}

/**
 * How an attempt to deliver ended (R6).
 * - `done`: the sink has confirmed every record.
 * - `refused`: the records listed can never pass; the sink has confirmed all the others.
 * - `hold`: refused now, may pass later (R7). - `unknown`: sent, and no answer.
 * `expired` says how many records were not sent because their time had passed (R12: they count as filtered).
 * After `hold` and `unknown` the engine waits (jittered, capped, told in the actor's state) and calls `again()`,
 * which sends what is not confirmed yet: the same bytes with the same identity.
 */
export type Outcome =
  | { is: 'done'; expired?: number }
  | { is: 'refused'; refusals: Refusal[]; expired?: number }
  | { is: 'hold'; problem: Problem }
  | { is: 'unknown'; problem: Problem }

/** How an attempt ends that settles its delivery. */
export type Settled = Extract<Outcome, { is: 'done' | 'refused' }>

/** Those after which there is another attempt. */
export type Stop = Exclude<Outcome, Settled>

/** Whether it does. */
export function isSettled(outcome: Outcome): outcome is Settled {
  return outcome.is === 'done' || outcome.is === 'refused'
}

/** The lane's waiting records, after the filter, in order. `next()` moves `view` and `input` on; both are reused. */
export interface Delivery {
  next(): boolean
  readonly view: RecordView
  /** The same record as expressions see it: lazily decoded. */
  readonly input: ExpressionInput
  /** There while somebody looks in: to be told what the sink has made of the record that this stands on. */
  readonly tap?: ((made: () => Made) => void) | undefined
}

/** What a sink has made of a record. */
export interface Made {
  /** Where it goes: `topic`, and what else says where or how. */
  to: { topic: string; [more: string]: string | number | boolean | undefined }
  /** Its headers, where it goes out with others than the view has now; it then has no key. */
  headers?: Header[]
}

/** The variables of an expression (ARCHITECTURE.md 8). Absent is null. Each is decoded when it is first read. */
export interface ExpressionInput {
  readonly key: string | null
  /** The value as text. */
  readonly value: string | null
  /** The first header of that name. */
  header(name: string): string | null
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly topic: string | null
  readonly partition: number | null
  readonly offset: string | null
  readonly device: string | null
}

/** A sink: one lane's end. Called by one engine, one call at a time. */
export interface Sink {
  /**
   * Delivers the records, in order. Resolves once everything that was sent has been answered or given up on.
   * It reads the cursor to its end before it returns its promise's first wait. Throws only where this owner must
   * stop (`FencedError`), or on a defect.
   */
  write(delivery: Delivery): Promise<Outcome>
  /** After `hold` or `unknown`: sends again what the last `write` has not had confirmed. */
  again(): Promise<Outcome>
  /** Gives up connections; nothing more is sent after it resolves. Idempotent. */
  close(): Promise<void>
}

/** What a source is given: its side of the lane, opened (R4), so nothing else can write there any more. */
export interface LaneWriter {
  /** The position to go on from, as this source wrote it, or undefined in a lane that is new. */
  readonly position: string | undefined
  /**
   * Copies the record into the batch being built and returns its ordinal: 1, 2, 3, ... since this writer opened.
   * A record that is too large for the lane becomes a dead letter with an ordinal like any other.
   */
  add(view: RecordView): number
  /**
   * Takes whole record batches, back to back, as they are, and returns the ordinal of their last record. `count`: how
   * many records they hold, at least one. They are not copied: leave the bytes alone until they are stored. Records that
   * are too large for the lane become dead letters, and the others go on with the offsets that they had. About as much
   * as the bus takes in one message (1 MB) is a good measure for one call.
   */
  pass(batches: Buffer, count: number): number
  /** Makes the record a dead letter of this lane (`refused` of R12), in its turn. Returns its ordinal. */
  refuse(view: RecordView, problem: Problem): number
  /** Whether more may be added: false where what is unstored has reached its bound of records or bytes (R8). */
  readonly room: boolean
  /** Stores what has been added; resolves when it is stored. */
  flush(): Promise<void>
  /** Stores the source's position by itself, behind what has been added: it says something new. */
  mark(): void
}

/** What the engine calls back. Both are called in turn, never concurrently. */
export interface SourceEvents {
  /** All records up to this ordinal are stored (R1): acknowledge them. */
  stored(ordinal: number): void
  /** There is room again after `room` was false. */
  roomAgain(): void
  /** The position after the record that was added last; asked when a batch closes (R4). */
  position(): string
}
