import type { ByteReader } from './byte-reader.ts'
import { BatchError } from './errors.ts'

/** Below this many bytes a loop beats a call (30 ns). */
const shortRange = 24

/**
 * What a decompressor has made so far, for codecs that say "these bytes" and "again what was so far back": snappy and
 * LZ4. It grows as it is written, never beyond `maxBytes`, so a few bytes that claim to be many cost nothing.
 */
export class Unpacked {
  #bytes: Buffer
  #at = 0
  readonly #maxBytes: number

  /** `expected`: the size to begin with. */
  constructor(expected: number, maxBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(expected, maxBytes))
    this.#maxBytes = maxBytes
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#at
  }

  /** All of them. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Appends the reader's next bytes. Throws BatchError: `too_large`, or `malformed` where it has not as many. */
  literal(from: ByteReader, length: number): void {
    const [to, start] = [this.#room(length), from.at]
    from.pass(length)
    if (length < shortRange) for (let i = 0; i < length; i++) to[this.#at + i] = from.bytes[start + i]!
    else from.bytes.copy(to, this.#at, start, from.at)
    this.#at += length
  }

  /**
   * Appends what stands `distance` back, `length` bytes of it; where that is more than there are, they repeat. Throws
   * BatchError: `too_large`, or `malformed` for a distance that leads nowhere.
   */
  repeat(distance: number, length: number): void {
    const to = this.#room(length)
    const at = this.#at
    if (distance < 1 || distance > at) throw new BatchError('malformed', `A copy from ${distance} back, at ${at}.`)
    if (length < shortRange || distance < length) for (let i = at; i < at + length; i++) to[i] = to[i - distance]!
    else to.copyWithin(at, at - distance, at - distance + length)
    this.#at += length
  }

  #room(more: number): Buffer {
    const needed = this.#at + more
    if (needed <= this.#bytes.length) return this.#bytes
    if (needed > this.#maxBytes) {
      throw new BatchError('too_large', `A batch of more than ${this.#maxBytes} bytes when decompressed.`)
    }
    const larger = Buffer.allocUnsafeSlow(Math.min(2 * needed, this.#maxBytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
    return larger
  }
}
