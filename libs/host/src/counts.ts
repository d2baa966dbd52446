import type { Problem } from '@millrace/bus'
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
  /** Offsets that a log no longer had when they were to be read, where the route says to go on (Kafka's `onGap`). */
  skipped: number
  /** Times that a log did not go on where it had been read to, and the route says to go on. */
  gaps: number
  /** Of `filtered`, those that were left out because their time had passed (MQTT's message expiry). */
  expired: number
  /** Headers that were left out because the sink's protocol can't carry them. */
  leftOut: number
  /** A gauge: records that wait in the lane (sinks), or are not yet stored (sources). */
  pending: number
}

/** All zero. */
export function newCounts(): Counts {
  return {
    in: 0,
    out: 0,
    dead: 0,
    filtered: 0,
    refused: 0,
    parked: 0,
    duplicates: 0,
    dropped: 0,
    skipped: 0,
    gaps: 0,
    expired: 0,
    leftOut: 0,
    pending: 0,
  }
}

/** What is measured of one actor, and kept when it is started again. */
export interface Measures {
  counts: Counts
  /** Seconds from a record's timestamp to its acknowledgement (sources) or to the sink's confirmation. */
  latency: Histogram
  /** `latency.counts` as they were a while ago, so that what the heartbeat tells is of the last seconds. */
  latencyBefore: Float64Array
  latencyBeforeAt: number
  /** What a lister has found in this run. */
  lanes: readonly string[] | undefined
  /** What it has found of its end in this run that lowers the route's guarantee (R14). */
  lowers: readonly Problem[]
}

/** Nothing measured yet. */
export function newMeasures(): Measures {
  const latency = new Histogram()
  const before = { latencyBefore: latency.counts.slice(), latencyBeforeAt: performance.now() }
  return { counts: newCounts(), latency, ...before, lanes: undefined, lowers: [] }
}

/** How many milliseconds back a heartbeat's latencies reach, at least. */
const recent = 10_000

/** What the heartbeat tells of an actor's numbers: its counts, and the latency of the last seconds, in milliseconds. */
export function reported(measures: Measures): Record<string, number> {
  const { counts, latency, latencyBefore } = measures
  const p50 = latency.quantile(0.5, latencyBefore)
  const p99 = latency.quantile(0.99, latencyBefore)
  if (performance.now() - measures.latencyBeforeAt >= recent) {
    measures.latencyBefore = latency.counts.slice()
    measures.latencyBeforeAt = performance.now()
  }
  if (p50 === undefined || p99 === undefined) return { ...counts }
  return { ...counts, latencyP50: p50 * 1_000, latencyP99: p99 * 1_000 }
}
