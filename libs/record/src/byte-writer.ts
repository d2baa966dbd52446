import type { Timestamp } from './timestamp.ts'
import { writeLongVarint, writeVarint } from './varint.ts'

/** Below this many bytes a loop beats the call of `copy` (30 ns). */
const shortRange = 24

/** Appends to a buffer that grows when asked to. Each method but `reserve` relies on room made before. */
export class ByteWriter {
  bytes: Buffer
  /** Where the next byte goes. */
  at = 0

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Makes room for so many bytes more. */
  reserve(more: number): void {
    const needed = this.at + more
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * needed)
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  /** Appends a byte. */
  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  /** Appends a safe integer. */
  varint(value: number): void {
    this.at = writeVarint(this.bytes, this.at, value)
  }

  /** Appends the difference of two timestamps. */
  delta(value: Timestamp): void {
    if (typeof value === 'number') this.varint(value)
    else this.at = writeLongVarint(this.bytes, this.at, value)
  }

  /** Copies a range. A null one (start and end -1) copies nothing. */
  range(from: Buffer, start: number, end: number): void {
    const { bytes, at } = this
    const length = end - start
    if (length < shortRange) for (let i = 0; i < length; i++) bytes[at + i] = from[start + i]!
    else from.copy(bytes, at, start, end)
    this.at = at + length
  }

  /** A length, or -1 for a null range, and the range. */
  nullable(from: Buffer, start: number, end: number): void {
    this.varint(start < 0 ? -1 : end - start)
    this.range(from, start, end)
  }
}
