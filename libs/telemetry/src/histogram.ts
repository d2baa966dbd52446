/** Upper bounds in seconds, for latencies: those of OpenTelemetry's messaging conventions, with two smaller ones. */
export const latencyBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const

/** A histogram of fixed buckets: to observe a value costs a few comparisons and allocates nothing. */
export class Histogram {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[]
  /** How many values fell into each bucket; the last one holds what is above all bounds. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[] = latencyBuckets) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** Counts one value, or the same value several times (the records of a batch). */
  observe(value: number, times = 1): void {
    const { bounds, counts } = this
    let bucket = 0
    // The comparison is made so that NaN ends up in the last bucket.
    while (bucket < bounds.length && !(value <= (bounds[bucket] ?? Infinity))) bucket++
    counts[bucket] = (counts[bucket] ?? 0) + times
    this.sum += value * times
  }

  /**
   * The value below which this share (0 to 1) of what was counted since `before` (counts taken then; absent: ever)
   * lies: the upper bound of its bucket, above all bounds the last one. Undefined where nothing was counted.
   */
  quantile(share: number, before?: Float64Array): number | undefined {
    const since = this.counts.map((count, bucket) => count - (before?.[bucket] ?? 0))
    const total = since.reduce((sum, count) => sum + count, 0)
    if (total === 0) return undefined
    let seen = 0
    const bucket = since.findIndex(count => (seen += count) >= total * share)
    return this.bounds[Math.min(bucket, this.bounds.length - 1)]
  }
}
