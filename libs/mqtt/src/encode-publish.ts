import { property, type QoS } from './publish.ts'

/** A PUBLISH to write. What is left out is not sent. */
export interface OutgoingPublish {
  topic: string
  payload: Uint8Array
  qos: QoS
  /** 1 to 65,535; needed with QoS 1 and 2. */
  packetId?: number
  dup?: boolean
  retain?: boolean
  payloadFormat?: 0 | 1
  /** Seconds. */
  messageExpiry?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Uint8Array
  /** In this order, with repetitions and empty values. */
  userProperties?: readonly (readonly [name: string, value: string])[]
}

/** Writes a PUBLISH. Throws RangeError where a field is longer than MQTT can carry. */
export function encodePublish(message: OutgoingPublish): Buffer {
  const properties = encodeProperties(message)
  const topic = withLength(message.topic)
  const { qos, packetId = 0, payload, dup = false, retain = false } = message
  const size = topic.length + (qos > 0 ? 2 : 0) + properties.length + payload.length
  return Buffer.concat([
    Buffer.of(0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)),
    varint(size),
    topic,
    qos > 0 ? unsigned16(packetId) : Buffer.alloc(0),
    properties,
    payload,
  ])
}

function encodeProperties(message: OutgoingPublish): Buffer {
  const parts: Buffer[] = []
  const add = (identifier: number, ...values: Buffer[]) => parts.push(Buffer.of(identifier), ...values)
  if (message.payloadFormat !== undefined) add(property.payloadFormat, Buffer.of(message.payloadFormat))
  if (message.messageExpiry !== undefined) add(property.messageExpiry, unsigned32(message.messageExpiry))
  if (message.contentType !== undefined) add(property.contentType, withLength(message.contentType))
  if (message.responseTopic !== undefined) add(property.responseTopic, withLength(message.responseTopic))
  if (message.correlationData !== undefined) add(property.correlationData, withLength(message.correlationData))
  for (const [name, value] of message.userProperties ?? []) add(property.user, withLength(name), withLength(value))
  const bytes = Buffer.concat(parts)
  return Buffer.concat([varint(bytes.length), bytes])
}

function withLength(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([unsigned16(bytes.length), bytes])
}

function unsigned16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function unsigned32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function varint(value: number): Buffer {
  if (value >= 2 ** 28) throw new RangeError(`A PUBLISH of ${value} bytes is larger than MQTT can carry.`)
  const bytes: number[] = []
  for (let rest = value; bytes.length === 0 || rest > 0; rest >>= 7)
    bytes.push((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0))
  return Buffer.from(bytes)
}
