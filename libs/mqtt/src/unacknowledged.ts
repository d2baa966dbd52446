/**
 * The PUBLISHes of one network connection that were received and not acknowledged yet, in the order in which they
 * came. Acknowledgements leave in that order (MQTT 5.0, 4.6) and from here only, so one that is late for its
 * connection finds nothing to acknowledge on the next.
 */
const puback = 0x40
const pubrec = 0x50

export class Unacknowledged {
  readonly #capacity: number
  readonly #ordinals: Float64Array
  readonly #packetIds: Uint16Array
  readonly #qos: Uint8Array
  #first = 0
  #length = 0

  /** @param capacity how many it keeps at most */
  constructor(capacity: number) {
    this.#capacity = capacity
    this.#ordinals = new Float64Array(capacity)
    this.#packetIds = new Uint16Array(capacity)
    this.#qos = new Uint8Array(capacity)
  }

  get full(): boolean {
    return this.#length === this.#capacity
  }

  /** Keeps a packet of QoS 1 or 2; not while `full`. Ordinals grow. */
  add(ordinal: number, packetId: number, qos: 1 | 2): void {
    const at = (this.#first + this.#length++) % this.#capacity
    this.#ordinals[at] = ordinal
    this.#packetIds[at] = packetId
    this.#qos[at] = qos
  }

  /** Takes out everything up to the ordinal: PUBACKs and PUBRECs for one write; undefined where there are none. */
  acknowledge(ordinal: number): Buffer | undefined {
    let count = 0
    while (count < this.#length && this.#ordinals[(this.#first + count) % this.#capacity]! <= ordinal) count++
    if (count === 0) return undefined
    const bytes = Buffer.allocUnsafe(4 * count)
    for (let at = 0; at < bytes.length; at += 4) {
      const packetId = this.#packetIds[this.#first]!
      bytes[at] = this.#qos[this.#first] === 2 ? pubrec : puback
      bytes[at + 1] = 2
      bytes[at + 2] = packetId >> 8
      bytes[at + 3] = packetId & 0xff
      this.#first = (this.#first + 1) % this.#capacity
    }
    this.#length -= count
    return bytes
  }
}
