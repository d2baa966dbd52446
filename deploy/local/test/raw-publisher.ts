/**
 * A publisher that sends user properties in the order in which they are given. MQTT.js keeps them in an object, which
 * has no place for a name that comes again later.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { encodePublish, type OutgoingPublish } from '@millrace/mqtt'
import { eventually } from '@millrace/testkit'

/** CONNECT of MQTT v5: clean start, no keepalive, no properties, and the broker may choose a client identifier. */
const hello = Buffer.from('100d00044d51545405020000000000', 'hex')
const puback = 4

/** Publishes with QoS 1 over one connection; resolves when the broker has acknowledged every message. */
export async function publishRaw(
  port: number,
  messages: Pick<OutgoingPublish, 'topic' | 'payload' | 'userProperties' | 'payloadFormat'>[],
): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const answers: Buffer[] = []
  socket.on('data', (bytes: Buffer) => answers.push(bytes))
  await once(socket, 'connect')
  socket.write(hello)
  await eventually(() => answers.length > 0, { what: 'CONNACK' })
  answers.splice(0)
  for (const [index, message] of messages.entries()) {
    socket.write(encodePublish({ ...message, qos: 1, packetId: index + 1 }))
  }
  await eventually(() => acknowledged(Buffer.concat(answers)) >= messages.length, { what: 'every PUBACK' })
  socket.destroy()
  await once(socket, 'close')
}

/** How many PUBACKs. Packets of a broker that answers QoS 1 are shorter than 128 bytes, so their length is one byte. */
function acknowledged(bytes: Buffer): number {
  let count = 0
  for (let at = 0; at + 1 < bytes.length; at += 2 + bytes[at + 1]!) if (bytes[at]! >> 4 === puback) count++
  return count
}
