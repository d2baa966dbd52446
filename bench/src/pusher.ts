/**
 * Pushes QoS 1 PUBLISH packets into a socket as fast as a window of unacknowledged ones allows, or at a given rate.
 * Used on both ends: by the fast source, which plays the broker, and by the publisher, which is a client of one.
 * Packets are encoded once a topic and patched, so that the load costs little beside what it measures.
 */
import type { Socket } from 'node:net'
import { now, STAMP_BYTES, writeStamp } from './stamp.ts'

export interface Load {
  publisher: number
  /** Messages to push in all. */
  total: number
  /** Messages a second; 0: as many as the window allows. */
  rate: number
  payloadBytes: number
  topics: string[]
}

interface Template {
  bytes: Buffer
  idAt: number
  payloadAt: number
}

const PUBLISH_QOS1 = 0x32
const PUBACK = 4
const CHUNK_MESSAGES = 256

function variableLength(value: number): number[] {
  const bytes: number[] = []
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0))
    value >>>= 7
  } while (value > 0)
  return bytes
}

function templateOf(topic: string, payloadBytes: number, version: 4 | 5): Template {
  const name = Buffer.from(topic)
  const properties = version === 5 ? 1 : 0
  const rest = 2 + name.length + 2 + properties + payloadBytes
  const head = Buffer.from([PUBLISH_QOS1, ...variableLength(rest), name.length >> 8, name.length & 0xff])
  const idAt = head.length + name.length
  const bytes = Buffer.concat([head, name, Buffer.alloc(2 + properties), Buffer.alloc(payloadBytes, 0x61)])
  return { bytes, idAt, payloadAt: idAt + 2 + properties }
}

/** One connection's load. `acknowledged()` is fed with what the other end sends. */
export class Pusher {
  sent = 0
  acknowledged = 0
  readonly #socket: Socket
  readonly #load: Load
  readonly #window: number
  readonly #templates: Template[]
  #packetId = 0
  #startedAt = 0
  #rest = Buffer.alloc(0)
  #finished: () => void = () => undefined

  /** `window`: unacknowledged messages at most. `version`: of the protocol that the other end speaks. */
  constructor(socket: Socket, load: Load, { window, version }: { window: number; version: 4 | 5 }) {
    if (load.payloadBytes < STAMP_BYTES) throw new RangeError(`a payload holds at least ${STAMP_BYTES} bytes`)
    this.#socket = socket
    this.#load = load
    this.#window = window
    this.#templates = load.topics.map(topic => templateOf(topic, load.payloadBytes, version))
  }

  /** Pushes everything; resolves when all of it is acknowledged. */
  run(): Promise<void> {
    this.#startedAt = now()
    this.#socket.on('drain', () => this.#push())
    const timer = this.#load.rate > 0 ? setInterval(() => this.#push(), 1) : undefined
    return new Promise(resolve => {
      this.#finished = () => {
        clearInterval(timer)
        resolve()
      }
      this.#push()
    })
  }

  /** Reads PUBACK packets out of what arrived. Any other packet is given back, whole, to the caller. */
  receive(chunk: Buffer, other: (type: number, packet: Buffer) => void): void {
    let at = 0
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (bytes.length - at >= 2) {
      const end = at + 2 + (bytes[at + 1] ?? 0)
      if (end > bytes.length) break
      const type = (bytes[at] ?? 0) >> 4
      if (type === PUBACK) this.acknowledged += 1
      else other(type, bytes.subarray(at, end))
      at = end
    }
    this.#rest = Buffer.from(bytes.subarray(at))
    if (this.acknowledged === this.#load.total) this.#finished()
    else if (this.#startedAt > 0) this.#push()
  }

  #due(): number {
    const { total, rate } = this.#load
    const byWindow = this.#window - (this.sent - this.acknowledged)
    const byRate = rate === 0 ? total : Math.floor(((now() - this.#startedAt) / 1000) * rate) - this.sent
    return Math.min(byWindow, byRate, total - this.sent)
  }

  #push(): void {
    while (!this.#socket.writableNeedDrain) {
      const due = Math.min(this.#due(), CHUNK_MESSAGES)
      // Small trickles of window are let gather: a broker's tiny packets would measure the kernel, not the bridge.
      if (due <= 0 || (this.#load.rate === 0 && due < CHUNK_MESSAGES / 4 && this.sent + due < this.#load.total)) return
      this.#socket.write(this.#chunk(due))
    }
  }

  #chunk(count: number): Buffer {
    const parts: Buffer[] = []
    for (let i = 0; i < count; i += 1) {
      const template = this.#templates[this.sent % this.#templates.length]
      if (template === undefined) throw new RangeError('a load needs at least one topic')
      const packet = Buffer.from(template.bytes)
      this.#packetId = (this.#packetId % 65_535) + 1
      packet.writeUInt16BE(this.#packetId, template.idAt)
      writeStamp(packet, template.payloadAt, { at: now(), publisher: this.#load.publisher, number: this.sent })
      parts.push(packet)
      this.sent += 1
    }
    return Buffer.concat(parts)
  }
}
