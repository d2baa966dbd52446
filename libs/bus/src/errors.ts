/** The errors of the bus. What may pass by itself is never one: it is waited for, and told. */

/** What stands in the way, for people and for metrics: a word from a small closed set, and what to do about it. */
export interface Problem {
  code: string
  message: string
}

/** Another owner with a newer epoch has this lane or position (R3, R5): stop, and do not come back with this epoch. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
}

/** What an alarm is about. */
export type AlarmCode =
  /** Somebody wrote to the lane who must not have. */
  | 'lane_conflict'
  /** The stream is gone, or is another route's of the same name. */
  | 'stream_missing'
  | 'stream_replaced'
  /** There is no position where there must be one, or it is another route's. */
  | 'position_missing'
  | 'position_replaced'
  /** What a sink keeps in place of the position was not written by Millrace. */
  | 'position_unreadable'
  /** The position is beyond the lane's end: the stream is older than the position. */
  | 'position_beyond'
  /** Another message stands where the position's was: the stream is an older copy that has grown again. */
  | 'lane_replaced'
  /** Records between the position and what the lane holds are gone. */
  | 'lane_gap'
  /** The totals of the position do not add up to what the lane says came before (R12). */
  | 'totals_differ'
  /** A source has more partitions than a route can have lanes. */
  | 'too_many_lanes'
  /** What a Kafka source was to read next is gone: expired, deleted, or written anew. */
  | 'kafka_gap'
  /** What stands in `mr_routes` is no document, and nobody remembers the last good one. */
  | 'routes_unreadable'

/** Going on could skip or repeat records in silence: the lane stops until somebody has looked (R5). */
export class AlarmError extends Error {
  override readonly name = 'AlarmError'
  readonly code: AlarmCode

  constructor(code: AlarmCode, message: string) {
    super(message)
    this.code = code
  }
}

/** NATS refused this user a subject: the accounts block of nats-server lacks a permission, or this is a defect. */
export class PermissionError extends Error {
  override readonly name = 'PermissionError'
  readonly subject: string

  constructor(operation: string, subject: string, cause: unknown) {
    super(`NATS does not let this user ${operation} ${subject}; compare its accounts with \`millrace nats-users\`.`, {
      cause,
    })
    this.subject = subject
  }
}

/** A request may or may not have reached the server: it timed out, or the connection broke (R6). */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError'
}

/** It can't be done now, and may be later (R7): tried again, and told by its own problem. */
export class HoldError extends Error {
  override readonly name = 'HoldError'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

/** A document was changed by somebody else in the meantime (compare-and-set). Read it again. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
}

/** The signal aborted, or the owner may not write any more (R11): nothing more was sent. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'
}
