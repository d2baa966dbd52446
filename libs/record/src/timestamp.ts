/**
 * A record's time: milliseconds since the epoch, in 64 bits on the wire, and -1 where a source has none. An exact number,
 * and a bigint only where no number is: what somebody wrote in nanoseconds by mistake has to be carried all the same.
 */
export type Timestamp = number | bigint

/** The timestamp that is these 64 bits; beyond them it wraps, as it does for every other reader and writer of Kafka's. */
export function timestampOf(bits: bigint): Timestamp {
  const wrapped = BigInt.asIntN(64, bits)
  const timestamp = Number(wrapped)
  return Number.isSafeInteger(timestamp) ? timestamp : wrapped
}

/** Whether it is a whole number of 64 bits, in the form that `Timestamp` has for it. */
export function isTimestamp(value: Timestamp): boolean {
  return typeof value === 'number' ? Number.isSafeInteger(value) : timestampOf(value) === value
}

/** What is added to `base` to make `timestamp`, in 64 bits. */
export function timestampDelta(timestamp: Timestamp, base: Timestamp): Timestamp {
  if (typeof timestamp === 'number' && typeof base === 'number') {
    const delta = timestamp - base
    if (Number.isSafeInteger(delta)) return delta
  }
  return timestampOf(BigInt(timestamp) - BigInt(base))
}
