/** Every packet but PUBLISH, read and written by `mqtt-packet`. */
import { generate, type Packet, parser } from 'mqtt-packet'
import { ProtocolError } from './errors.ts'

/** What CONNECT says: MQTT 5.0, or 3.1.1. */
export type ProtocolVersion = 5 | 4

/** Writes a packet. */
export function encodeControlPacket(packet: Packet, version: ProtocolVersion): Buffer {
  return generate(packet, { protocolVersion: version })
}

/** Reads one whole packet, fixed header included. Throws ProtocolError. */
export function decodeControlPacket(bytes: Buffer, version: ProtocolVersion): Packet {
  const found: Packet[] = []
  const problems: unknown[] = []
  try {
    const reader = parser({ protocolVersion: version })
    reader.on('packet', packet => found.push(packet))
    reader.on('error', (error: unknown) => problems.push(error))
    reader.parse(bytes)
  } catch (error) {
    problems.push(error)
  }
  const [packet] = found
  if (packet !== undefined && problems.length === 0) return packet
  throw new ProtocolError(0x81, 'A packet that cannot be read.', { cause: problems[0] })
}
