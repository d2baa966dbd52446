/**
 * What every benchmark message carries in its payload, so that whoever reads it at the far end can tell when it was
 * published, by whom, and which one it was: stamp (float64, ms since the epoch with fractions), publisher (uint32),
 * number (uint32, from 0), then padding.
 */

/** Bytes that a stamp takes at the start of a payload. */
export const STAMP_BYTES = 16

export interface Stamp {
  /** Milliseconds since the epoch, with fractions. */
  at: number
  publisher: number
  number: number
}

/** The wall clock in milliseconds with fractions, the same in every process of this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function writeStamp(into: Buffer, offset: number, stamp: Stamp): void {
  into.writeDoubleBE(stamp.at, offset)
  into.writeUInt32BE(stamp.publisher, offset + 8)
  into.writeUInt32BE(stamp.number, offset + 12)
}

export function readStamp(from: Buffer): Stamp {
  return { at: from.readDoubleBE(0), publisher: from.readUInt32BE(8), number: from.readUInt32BE(12) }
}
