/** PUBLISH packets of MQTT v5 on their way through a proxy, read by a parser of the test's own: all of them, in order. */
import type { OnBytes } from '@millrace/testkit'

/** A PUBLISH, without what is of one connection only: packet id, DUP, topic alias, subscription identifier. */
export interface WirePublish {
  topic: string
  qos: number
  retain: boolean
  payload: Buffer
  /** Seconds. */
  expiry: number | undefined
  /** All other properties but user properties, as `identifier=value in hexadecimal`. */
  properties: string[]
  /** In their order, with repetitions, in hexadecimal. */
  userProperties: [name: string, value: string][]
}

/** The bytes of a property's value, by its identifier; -1: two bytes of length in front; -2: that twice; -3: a varint. */
const valueBytes: Record<number, number> = {
  0x01: 1,
  0x02: 4,
  0x03: -1,
  0x08: -1,
  0x09: -1,
  0x0b: -3,
  0x23: 2,
  0x26: -2,
}
const [messageExpiry, subscriptionIdentifier, topicAlias, userProperty] = [0x02, 0x0b, 0x23, 0x26]

/** For `Proxy.onRequest` or `onAnswer`: tells every PUBLISH that passes. */
export function tapPublishes(tell: (publish: WirePublish) => void): OnBytes {
  const rest = new WeakMap<object, Buffer>()
  return (bytes, connection) => {
    let left = Buffer.concat([rest.get(connection) ?? Buffer.alloc(0), bytes])
    for (let end = packetEnd(left); end !== undefined; end = packetEnd(left)) {
      if (left[0]! >> 4 === 3) tell(readPublish(left.subarray(0, end)))
      left = left.subarray(end)
    }
    rest.set(connection, left)
    return 'pass'
  }
}

/** Where the first packet ends; undefined where it is not whole. */
function packetEnd(bytes: Buffer): number | undefined {
  for (let digits = 1; digits <= 4 && digits < bytes.length; digits++) {
    if (bytes[digits]! >= 0x80) continue
    const { value, at } = varint(bytes, 1)
    return at + value <= bytes.length ? at + value : undefined
  }
  return undefined
}

function readPublish(packet: Buffer): WirePublish {
  const [flags, topicAt] = [packet[0]!, varint(packet, 1).at]
  const topicEnd = topicAt + 2 + packet.readUInt16BE(topicAt)
  const qos = (flags >> 1) & 3
  const { value: length, at } = varint(packet, topicEnd + (qos > 0 ? 2 : 0))
  const publish: WirePublish = {
    topic: packet.toString('utf8', topicAt + 2, topicEnd),
    qos,
    retain: (flags & 1) === 1,
    payload: packet.subarray(at + length),
    expiry: undefined,
    properties: [],
    userProperties: [],
  }
  for (let next = at; next < at + length; ) next = readProperty(packet, next, publish)
  publish.properties.sort()
  return publish
}

/** Adds the property that begins here; returns where the next one does. */
function readProperty(packet: Buffer, at: number, publish: WirePublish): number {
  const identifier = packet[at]!
  const start = at + 1
  const end = valueEnd(packet, start, valueBytes[identifier])
  if (identifier === messageExpiry) publish.expiry = packet.readUInt32BE(start)
  else if (identifier === userProperty) {
    const nameEnd = start + 2 + packet.readUInt16BE(start)
    publish.userProperties.push([packet.toString('hex', start + 2, nameEnd), packet.toString('hex', nameEnd + 2, end)])
  } else if (identifier !== topicAlias && identifier !== subscriptionIdentifier) {
    publish.properties.push(`${identifier}=${packet.toString('hex', start, end)}`)
  }
  return end
}

function valueEnd(packet: Buffer, start: number, bytes: number | undefined): number {
  if (bytes === undefined) throw new Error(`no property of a PUBLISH: ${packet[start - 1]}`)
  if (bytes > 0) return start + bytes
  if (bytes === -3) return varint(packet, start).at
  const first = start + 2 + packet.readUInt16BE(start)
  return bytes === -1 ? first : first + 2 + packet.readUInt16BE(first)
}

function varint(bytes: Buffer, start: number): { value: number; at: number } {
  let [value, shift, at] = [0, 0, start]
  for (; bytes[at]! >= 0x80; at++, shift += 7) value += (bytes[at]! & 0x7f) << shift
  return { value: value + (bytes[at]! << shift), at: at + 1 }
}
