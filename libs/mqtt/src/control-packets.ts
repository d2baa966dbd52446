/** Every packet but PUBLISH, read and written by `mqtt-packet`. */
import { generate, type Packet, parser } from 'mqtt-packet'
import { ProtocolError } from './errors.ts'

const version = { protocolVersion: 5 }

/** Writes a packet as MQTT v5. */
export function encodeControlPacket(packet: Packet): Buffer {
  return generate(packet, version)
}

/** Reads one whole packet, fixed header included. Throws ProtocolError. */
export function decodeControlPacket(bytes: Buffer): Packet {
  const found: Packet[] = []
  const problems: unknown[] = []
  try {
    const reader = parser(version)
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
