import { BatchError } from './errors.ts'

/** The most bytes that a varint takes: a 64-bit integer. */
const longestVarint = 10
const nothing = Buffer.alloc(0)

/** Reads a range that may be hostile: nothing is read beyond `end`. What can't be is a BatchError, `malformed`. */
export class ByteReader {
  bytes: Buffer = nothing
  at = 0
  end = 0
  /** Where the range that `skip` stepped over begins. */
  start = -1

  /** Stands at `at`; nothing from `end` on is read. */
  open(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** The next varint. Beyond 2^53 it is rounded, so that it fails every check of a length and `isSafeInteger`. */
  varint(): number {
    const first = this.byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    const second = this.byte()
    let magnitude = ((first & 0x7f) >>> 1) | ((second & 0x7f) << 6)
    if (second >= 0x80) magnitude = this.#longVarint(magnitude)
    return first & 1 ? -magnitude - 1 : magnitude
  }

  #longVarint(low: number): number {
    let magnitude = low
    let scale = 0x2000
    for (let read = 2; read < longestVarint; read++) {
      const byte = this.byte()
      magnitude += (byte & 0x7f) * scale
      if (byte < 0x80) return magnitude
      scale *= 0x80
    }
    throw this.#endless()
  }

  /** The next varint as it is, whatever of 64 bits. */
  longVarint(): bigint {
    let bits = 0n
    for (let shift = 0n; shift < 7 * longestVarint; shift += 7n) {
      const byte = this.byte()
      bits |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return (BigInt.asUintN(64, bits) >> 1n) ^ -(bits & 1n)
    }
    throw this.#endless()
  }

  #endless(): BatchError {
    return new BatchError('malformed', `A varint of more than ${longestVarint} bytes at ${this.at - longestVarint}.`)
  }

  /** The next byte. */
  byte(): number {
    if (this.at >= this.end) throw new BatchError('malformed', `A field runs over its end at ${this.end}.`)
    return this.bytes[this.at++]!
  }

  /** The next so many bytes, at most six, as an unsigned integer with its lowest byte first. */
  littleEndian(bytes: number): number {
    let value = 0
    for (let scale = 1, i = 0; i < bytes; i++, scale *= 256) value += this.byte() * scale
    return value
  }

  /** Steps over so many bytes. */
  pass(bytes: number): void {
    const left = this.end - this.at
    if (bytes > left) throw new BatchError('malformed', `${bytes} bytes at ${this.at}, with ${left} left.`)
    this.at += bytes
  }

  /**
   * Reads a length and steps over as many bytes: returns where they end, and `start` says where they begin.
   * Null, which `nullable` allows, is -1 for both.
   */
  skip(nullable: boolean): number {
    const length = this.varint()
    if (length === -1 && nullable) {
      this.start = -1
      return -1
    }
    const left = this.end - this.at
    if (length < 0 || length > left) {
      throw new BatchError('malformed', `A length of ${length} at ${this.at}, with ${left} bytes left.`)
    }
    this.start = this.at
    this.at += length
    return this.at
  }
}
