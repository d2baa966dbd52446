import { Histogram } from '@millrace/telemetry'

/**
 * What an actor counts: plain integers, added to in place. All but `pending` only grow, and live on when the actor is
 * started again by the same process.
 */
export interface Counts {
  /** Records stored in the lane (sources). */
  in: number
  /** Records that the sink has confirmed. */
  out: number
  /** Records made dead letters by a sink. */
  dead: number
  /** Records that the route's filter took out. */
  filtered: number
  /** Records made dead letters by a source (R12). */
  refused: number
  /** Records set aside because their key is parked (R7). */
  parked: number
  /** Records that are known to have come or gone twice. */
  duplicates: number
  /** QoS 0 messages for which there was no room (R8). */
  dropped: number
  /** A gauge: records that wait in the lane (sinks), or are not yet stored (sources). */
  pending: number
}

/** All zero. */
export function newCounts(): Counts {
  return { in: 0, out: 0, dead: 0, filtered: 0, refused: 0, parked: 0, duplicates: 0, dropped: 0, pending: 0 }
}

/** What is measured of one actor. */
export interface Measures {
  counts: Counts
  /** Seconds from a record's timestamp to its acknowledgement (sources) or to the sink's confirmation. */
  latency: Histogram
}

/** Nothing measured yet. */
export function newMeasures(): Measures {
  return { counts: newCounts(), latency: new Histogram() }
}
