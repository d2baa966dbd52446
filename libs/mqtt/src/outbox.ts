/**
 * The PUBLISHes of one delivery, encoded one behind another, and what has become of each.
 *
 *   waiting --> sent --(PUBACK)--> done          QoS 0: done once it is written
 *               sent --(PUBREC)--> received --(PUBCOMP)--> done
 *               sent --(PUBREC: no subscribers, and the route holds)--> unwanted --(PUBCOMP)--> waiting
 *   waiting --> expired; sent --> refused; all but the last two --(rewind)--> waiting
 *
 * 1. A packet identifier follows from the entry's number, so that an answer finds its entry. No two entries with the
 *    same one are ever on their way together: `Sending` sees to that.
 * 2. What counts as delivered is everything before `oldest`. After `rewind` what is behind it goes out again, what was
 *    done there too: so the last arrivals of a topic's messages are always in the order of the lane.
 * 3. The buffer is not written to while anything of it is being sent: `clear` only when nothing is.
 */
import type { Problem, Refusal } from '@millrace/lane'
import { ByteWriter, type RecordView } from '@millrace/record'
import type { ProtocolVersion } from './control-packets.ts'
import type { PropertyWriter } from './property-writer.ts'
import type { QoS } from './publish.ts'

type EntryState = 'waiting' | 'sent' | 'received' | 'unwanted' | 'done' | 'refused' | 'expired'

/** What a PUBLISH is made of, beside its payload. */
export interface Draft {
  topic: string
  qos: QoS
  retain: boolean
  /** Milliseconds since the epoch; 0: never. */
  expiresAt: number
  properties: PropertyWriter
}

/** One PUBLISH, encoded. */
export interface Entry {
  state: EntryState
  /** Which record of the delivery it is. */
  index: number
  /** Its bytes in the outbox. */
  start: number
  end: number
  qos: QoS
  expiresAt: number
  /** Where its Message Expiry Interval stands; -1: it has none. */
  expiryAt: number
}

/** How many packet identifiers there are. */
export const packetIds = 65_535
const firstBuffer = 64 * 1024
/** What one large delivery made it take is not kept. */
const keptBuffer = 4 << 20
/** The most bytes of a PUBLISH but its topic, properties and payload. */
const headBytes = 13
/** A remaining length that MQTT can't say (1.5.5). */
const tooLong = 2 ** 28

export class Outbox {
  /** What can never pass, in no order. */
  refusals: Refusal[] = []
  /** How many were not sent because their time had passed. */
  expired = 0
  /** The first entry that is waiting or on its way. */
  oldest = 0
  /** How many entries there are. */
  count = 0
  /** Whether the broker is to answer any of them. */
  needsAnswers = false
  readonly #version: ProtocolVersion
  readonly #entries: Entry[] = []
  #to = new ByteWriter(firstBuffer)

  constructor(version: ProtocolVersion) {
    this.#version = version
  }

  /** Begins the next delivery. */
  clear(): void {
    if (this.#to.bytes.length > keptBuffer) this.#to = new ByteWriter(firstBuffer)
    this.#to.at = this.count = this.oldest = this.expired = 0
    this.needsAnswers = false
    this.refusals = []
  }

  /** Encodes a PUBLISH with the view's value as its payload; null is an empty one. `index` says which record it is. */
  add(draft: Draft, view: RecordView, index: number): void {
    const topicBytes = Buffer.byteLength(draft.topic)
    const payloadBytes = view.valueEnd - view.valueStart
    const propertyBytes = this.#version === 5 ? draft.properties.length : 0
    const size =
      2 +
      topicBytes +
      (draft.qos > 0 ? 2 : 0) +
      (this.#version === 5 ? sizeOf(propertyBytes) : 0) +
      propertyBytes +
      payloadBytes
    if (size >= tooLong) {
      this.refusals.push({
        index,
        code: 'too_large',
        message: 'A PUBLISH of 256 MiB or more is none that MQTT can carry.',
      })
      return
    }
    const to = this.#to
    to.reserve(headBytes + size)
    const entry = this.#next()
    entry.index = index
    entry.start = to.at
    entry.qos = draft.qos
    this.needsAnswers ||= draft.qos > 0
    entry.expiresAt = draft.expiresAt
    to.byte(0x30 | (draft.qos << 1) | (draft.retain ? 1 : 0))
    writeLength(to, size)
    writeUnsigned16(to, topicBytes)
    to.at += to.bytes.write(draft.topic, to.at)
    if (draft.qos > 0) writeUnsigned16(to, this.packetIdOf(this.count - 1))
    entry.expiryAt = this.#version === 5 ? writeProperties(to, draft.properties) : -1
    to.range(view.valueIn, view.valueStart, view.valueEnd)
    entry.end = to.at
  }

  /** A record of this delivery that can never pass, and is no entry. */
  refuse(refusal: Refusal): void {
    this.refusals.push(refusal)
  }

  /** The entry with this number, counted from 0. */
  entry(number: number): Entry {
    return this.#entries[number]!
  }

  /** The topic of an entry. */
  topicOf(number: number): string {
    const { bytes } = this.#to
    let at = this.entry(number).start + 1
    while (bytes[at++]! >= 0x80);
    return bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at))
  }

  /** The packet identifier of an entry. */
  packetIdOf(number: number): number {
    return (number % packetIds) + 1
  }

  /** The number of the entry on its way with this packet identifier; it may be that of none. */
  numberOf(packetId: number): number {
    const ahead = packetId - this.packetIdOf(this.oldest)
    return this.oldest + (ahead < 0 ? ahead + packetIds : ahead)
  }

  /** The bytes of the entries from one number up to another. */
  bytes(from: number, to: number): Buffer {
    return this.#to.bytes.subarray(this.entry(from).start, this.entry(to - 1).end)
  }

  /** Fills in what is left of an entry's time; false where nothing is. */
  refresh({ expiresAt, expiryAt }: Entry, now: number): boolean {
    if (expiresAt === 0) return true
    const seconds = Math.ceil((expiresAt - now) / 1000)
    if (seconds > 0 && expiryAt >= 0) this.#to.bytes.writeUInt32BE(Math.min(seconds, 0xffff_ffff), expiryAt)
    return seconds > 0
  }

  /** Changes the first byte of an entry: QoS 1 for 2, and without RETAIN, where the broker has no more. */
  lower(entry: Entry, { maximumQos, retain }: { maximumQos: QoS; retain: boolean }): void {
    const { bytes } = this.#to
    if (entry.qos > maximumQos) entry.qos = maximumQos
    const flags = (entry.qos << 1) | (retain ? bytes[entry.start]! & 1 : 0)
    bytes[entry.start] = 0x30 | flags
  }

  /** Says what has become of an entry for good. */
  settle(entry: Entry, state: 'done' | 'expired' | { problem: Problem }): void {
    entry.state = typeof state === 'string' ? state : 'refused'
    if (state === 'expired') this.expired++
    if (typeof state !== 'string') this.refuse({ index: entry.index, ...state.problem })
    while (this.oldest < this.count && isOver(this.entry(this.oldest))) this.oldest++
  }

  /** Everything that does not count as delivered is to be sent again. */
  rewind(): void {
    for (let number = this.oldest; number < this.count; number++) {
      const entry = this.entry(number)
      if (entry.state !== 'refused' && entry.state !== 'expired') entry.state = 'waiting'
    }
  }

  #next(): Entry {
    const found = this.#entries[this.count]
    const entry = found ?? { state: 'waiting', index: 0, start: 0, end: 0, qos: 0, expiresAt: 0, expiryAt: -1 }
    if (found === undefined) this.#entries.push(entry)
    entry.state = 'waiting'
    this.count++
    return entry
  }
}

const isOver = ({ state }: Entry): boolean => state === 'done' || state === 'refused' || state === 'expired'

/** Returns where the Message Expiry Interval stands; -1 where there is none. */
function writeProperties(to: ByteWriter, { bytes, length, expiryAt }: PropertyWriter): number {
  writeLength(to, length)
  const start = to.at
  to.range(bytes, 0, length)
  return expiryAt < 0 ? -1 : start + expiryAt
}

/** How many bytes a variable byte integer takes (MQTT 5.0, 1.5.5). */
const sizeOf = (length: number): number => (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4)

function writeLength(to: ByteWriter, length: number): void {
  for (let rest = length; ; rest >>= 7) {
    to.byte(rest < 0x80 ? rest : (rest & 0x7f) | 0x80)
    if (rest < 0x80) return
  }
}

function writeUnsigned16(to: ByteWriter, value: number): void {
  to.byte(value >> 8)
  to.byte(value & 0xff)
}
