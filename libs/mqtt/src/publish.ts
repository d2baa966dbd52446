/**
 * PUBLISH (MQTT 5.0, 3.3; 3.1.1, 3.3, which has no properties), decoded in place into one object that is reused for
 * packet after packet: ranges in the buffer of the frame, valid until the next packet. A range that is absent starts
 * at -1.
 *
 * The topic is checked in full, because everything downstream relies on it. Properties are checked in structure; the
 * text in them is carried as bytes, as it came, so one publisher's bad text cannot cut the connection of all others.
 */
import { isUtf8 } from 'node:buffer'
import { ProtocolError } from './errors.ts'
import type { ProtocolVersion } from './control-packets.ts'
import type { Frame } from './framer.ts'

/** Quality of service (MQTT 5.0, 4.3): at most once, at least once, exactly once, each over one hop. */
export type QoS = 0 | 1 | 2

/** Property identifiers (MQTT 5.0, 2.2.2.2) that a PUBLISH may carry. */
export const property = {
  payloadFormat: 0x01,
  messageExpiry: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  topicAlias: 0x23,
  user: 0x26,
} as const

export class Publish {
  /** What the ranges are in. */
  bytes: Buffer = Buffer.alloc(0)
  qos: QoS = 0
  dup = false
  retain = false
  /** 0 with QoS 0. */
  packetId = 0
  topicStart = 0
  topicEnd = 0
  payloadStart = 0
  payloadEnd = 0
  /** 0 or 1; -1 where absent. */
  payloadFormat = -1
  /** Seconds; -1 where absent. */
  messageExpiry = -1
  contentTypeStart = -1
  contentTypeEnd = -1
  responseTopicStart = -1
  responseTopicEnd = -1
  correlationDataStart = -1
  correlationDataEnd = -1
  /** The user property that `nextUserProperty` stands on. */
  nameStart = -1
  nameEnd = -1
  valueStart = -1
  valueEnd = -1
  #userProperties = 0
  #propertiesStart = 0
  #propertiesEnd = 0
  #at = 0
  readonly #version: ProtocolVersion

  constructor(version: ProtocolVersion = 5) {
    this.#version = version
  }

  /** Decodes a frame whose first byte says PUBLISH. Throws ProtocolError. */
  read(frame: Frame): void {
    const { bytes, start, end, first } = frame
    this.bytes = bytes
    this.qos = qosOf(first)
    this.dup = (first & 8) !== 0
    this.retain = (first & 1) !== 0
    this.topicStart = start + 2
    let at = this.topicStart + unsigned16(bytes, start, end)
    this.topicEnd = at
    if (at > end) throw truncated()
    checkTopic(bytes, this.topicStart, at)
    this.packetId = 0
    if (this.qos > 0) {
      this.packetId = unsigned16(bytes, at, end)
      if (this.packetId === 0) throw new ProtocolError(0x82, 'A PUBLISH with packet identifier 0.')
      at += 2
    }
    this.#readProperties(at, end)
    if (this.topicEnd === this.topicStart) throw new ProtocolError(0x82, 'A PUBLISH without a topic.')
    this.payloadStart = this.#propertiesEnd
    this.payloadEnd = end
  }

  /** Goes back before the first user property. */
  rewindUserProperties(): void {
    this.#at = this.#userProperties === 0 ? this.#propertiesEnd : this.#propertiesStart
  }

  /** Moves to the next user property, in the order in which they came; false after the last one. */
  nextUserProperty(): boolean {
    while (this.#at < this.#propertiesEnd) if (this.#step() === property.user) return true
    return false
  }

  #readProperties(at: number, end: number): void {
    this.payloadFormat = -1
    this.messageExpiry = -1
    this.contentTypeStart = -1
    this.responseTopicStart = -1
    this.correlationDataStart = -1
    this.#userProperties = 0
    this.#at = at
    this.#propertiesEnd = end
    const length = this.#version === 5 ? this.#varint() : 0
    this.#propertiesStart = this.#at
    this.#propertiesEnd = this.#at + length
    if (this.#propertiesEnd > end) throw truncated()
    while (this.#at < this.#propertiesEnd) this.#keep(this.#step())
  }

  /** Steps over one property: returns its identifier, and `value...` (and `name...`) are its ranges. */
  #step(): number {
    const identifier = this.bytes[this.#at++]!
    switch (identifier) {
      case property.payloadFormat:
        this.#range(1)
        break
      case property.messageExpiry:
        this.#range(4)
        break
      case property.topicAlias:
        this.#range(2)
        break
      case property.subscriptionIdentifier:
        if (this.#varint() === 0) throw new ProtocolError(0x82, 'A subscription identifier of 0.')
        break
      case property.contentType:
      case property.responseTopic:
      case property.correlationData:
        this.#lengthAndRange()
        break
      case property.user:
        this.#lengthAndRange()
        this.nameStart = this.valueStart
        this.nameEnd = this.valueEnd
        this.#lengthAndRange()
        break
      default:
        throw new ProtocolError(0x81, `Property ${identifier} in a PUBLISH.`)
    }
    return identifier
  }

  /** Keeps the property that was stepped over last. Only user properties and subscription identifiers may repeat. */
  #keep(identifier: number): void {
    const { bytes, valueStart: start, valueEnd: end } = this
    switch (identifier) {
      case property.payloadFormat:
        if (this.payloadFormat >= 0) throw repeated(identifier)
        this.payloadFormat = bytes[start]!
        if (this.payloadFormat > 1) throw new ProtocolError(0x82, 'A payload format that is neither 0 nor 1.')
        break
      case property.messageExpiry:
        if (this.messageExpiry >= 0) throw repeated(identifier)
        this.messageExpiry = bytes.readUInt32BE(start)
        break
      case property.contentType:
        if (this.contentTypeStart >= 0) throw repeated(identifier)
        this.contentTypeStart = start
        this.contentTypeEnd = end
        break
      case property.responseTopic:
        if (this.responseTopicStart >= 0) throw repeated(identifier)
        this.responseTopicStart = start
        this.responseTopicEnd = end
        break
      case property.correlationData:
        if (this.correlationDataStart >= 0) throw repeated(identifier)
        this.correlationDataStart = start
        this.correlationDataEnd = end
        break
      case property.topicAlias:
        // We never send Topic Alias Maximum, so every alias is one too many (MQTT 5.0, 3.3.2.3.4).
        throw new ProtocolError(0x94, 'A topic alias, and none was allowed.')
      case property.user:
        this.#userProperties++
        break
    }
  }

  #lengthAndRange(): void {
    const length = unsigned16(this.bytes, this.#at, this.#propertiesEnd)
    this.#at += 2
    this.#range(length)
  }

  #range(length: number): void {
    this.valueStart = this.#at
    this.#at += length
    this.valueEnd = this.#at
    if (this.#at > this.#propertiesEnd) throw truncated()
  }

  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#propertiesEnd) throw truncated()
      const byte = this.bytes[this.#at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new ProtocolError(0x81, 'A variable byte integer of more than four bytes.')
  }
}

function qosOf(first: number): QoS {
  switch (first & 6) {
    case 0:
      return 0
    case 2:
      return 1
    case 4:
      return 2
    default:
      throw new ProtocolError(0x81, 'A PUBLISH of QoS 3.')
  }
}

function unsigned16(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw truncated()
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** A topic name is text without NUL and wildcards, and not empty unless an alias stands for it (MQTT 5.0, 4.7.3). */
function checkTopic(bytes: Buffer, start: number, end: number): void {
  let all = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte === 0x23 || byte === 0x2b || byte === 0) {
      throw new ProtocolError(byte === 0 ? 0x81 : 0x90, 'A topic name with a wildcard or NUL.')
    }
    all |= byte
  }
  if (all >= 0x80 && !isUtf8(bytes.subarray(start, end))) throw new ProtocolError(0x81, 'A topic that is not UTF-8.')
}

function truncated(): ProtocolError {
  return new ProtocolError(0x81, 'A PUBLISH with a field that runs over its end.')
}

function repeated(identifier: number): ProtocolError {
  return new ProtocolError(0x82, `Property ${identifier} twice in a PUBLISH.`)
}
