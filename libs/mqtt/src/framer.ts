/**
 * Finds the packets in a stream of chunks, without copying those that lie within one.
 *
 * 1. `push(chunk)` only after `next()` has returned false: then every byte before is used up or carried.
 * 2. A packet that runs over a chunk's end is carried in a buffer that grows by doubling with what has arrived, never
 *    to what a length field claims; a chunk's bytes are copied at most about twice.
 * 3. The frame is valid until the next `next()`.
 */
import { ProtocolError } from './errors.ts'

/** One packet: its first byte, where that stands, and the range behind its fixed header. */
export interface Frame {
  readonly first: number
  readonly bytes: Buffer
  readonly packetStart: number
  readonly start: number
  readonly end: number
}

const nothing: Buffer = Buffer.alloc(0)
/** What a carry begins with, and goes back to after a large packet. */
const smallCarry = 4096

export class Framer implements Frame {
  first = 0
  bytes = nothing
  packetStart = 0
  start = 0
  end = 0
  #chunk = nothing
  #at = 0
  #carry = nothing
  #carried = 0

  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** Moves to the next whole packet; false where more bytes are needed. Throws ProtocolError for a bad length. */
  next(): boolean {
    if (this.#carried > 0) return this.#complete()
    if (this.#frame(this.#chunk, this.#at, this.#chunk.length)) {
      this.#at = this.end
      return true
    }
    if (this.#carry.length > smallCarry) this.#carry = nothing
    this.#take(this.#chunk.length - this.#at)
    return false
  }

  /**
   * Reads the fixed header of the packet at `at`. True where all of it lies before `limit`; else `end` says up to
   * where bytes are needed to go on: the length's next byte, or the packet's last.
   */
  #frame(bytes: Buffer, at: number, limit: number): boolean {
    let length = 0
    for (let size = 1; size <= 4; size++) {
      if (at + size >= limit) {
        this.end = at + size + 1
        return false
      }
      const byte = bytes[at + size]!
      length |= (byte & 0x7f) << (7 * (size - 1))
      if (byte < 0x80) {
        this.first = checkFlags(bytes[at]!)
        this.bytes = bytes
        this.packetStart = at
        this.start = at + size + 1
        this.end = this.start + length
        return this.end <= limit
      }
    }
    throw new ProtocolError(0x81, 'A packet length of more than four bytes.')
  }

  /** Goes on with the packet that was begun in an earlier chunk. */
  #complete(): boolean {
    while (!this.#frame(this.#carry, 0, this.#carried)) {
      const more = Math.min(this.end - this.#carried, this.#chunk.length - this.#at)
      if (more === 0) return false
      this.#take(more)
    }
    this.#carried = 0
    return true
  }

  /** Moves bytes of the chunk to the carry. */
  #take(count: number): void {
    const end = this.#carried + count
    if (end > this.#carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(smallCarry, 2 * this.#carry.length, end))
      this.#carry.copy(larger, 0, 0, this.#carried)
      this.#carry = larger
    }
    this.#chunk.copy(this.#carry, this.#carried, this.#at, this.#at + count)
    this.#carried = end
    this.#at += count
  }
}

/**
 * Only PUBLISH has flags of its own; elsewhere they are fixed (MQTT 5.0, 2.1.3). Looked at before the packet is whole,
 * so that no time and memory go into waiting for the rest of what is not MQTT.
 */
function checkFlags(first: number): number {
  const type = first >> 4
  const fixed = type === 6 || type === 8 || type === 10 ? 2 : 0
  if (type !== 3 && (first & 0xf) !== fixed) throw new ProtocolError(0x81, 'A packet with wrong flags.')
  return first
}
