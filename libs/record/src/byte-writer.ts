import { writeVarint } from './varint.ts'

/** Below this many bytes a loop beats the call of `copy` (30 ns). */
const shortRange = 24

/** Appends to a buffer that grows when asked to. Each method but `reserve` and `take` relies on room made before. */
export class ByteWriter {
  bytes: Buffer
  /** Where the next byte goes. */
  at: number

  constructor(capacity: number, at: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
    this.at = at
  }

  /** Makes room for so many bytes more. */
  reserve(more: number): void {
    const needed = this.at + more
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * needed)
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  varint(value: number): void {
    this.at = writeVarint(this.bytes, this.at, value)
  }

  /** Copies a range. A null one (start and end -1) copies nothing. */
  range(from: Buffer, start: number, end: number): void {
    if (end - start >= shortRange) {
      from.copy(this.bytes, this.at, start, end)
      this.at += end - start
    } else {
      for (let i = start; i < end; i++) this.bytes[this.at++] = from[i]!
    }
  }

  /** A length, or -1 for a null range, and the range. */
  nullable(from: Buffer, start: number, end: number): void {
    this.varint(start < 0 ? -1 : end - start)
    this.range(from, start, end)
  }

  /**
   * Gives away what was written. The buffer itself where most of it is used, and an exact copy where not, so that
   * nobody holds much more memory than bytes.
   */
  take(): Buffer {
    const written = this.bytes.subarray(0, this.at)
    if (this.at >= this.bytes.length * 0.75) {
      this.bytes = Buffer.allocUnsafeSlow(this.bytes.length)
      return written
    }
    const exact = Buffer.allocUnsafeSlow(this.at)
    written.copy(exact)
    return exact
  }
}
