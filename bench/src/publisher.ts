/**
 * A process that publishes QoS 1 through a real broker over several connections. Told what to do by its parent; says
 * `{ready}` when connected, and `{done}` when the broker has acknowledged everything.
 */
import { connect, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { type Load, Pusher } from './pusher.ts'
import { now } from './stamp.ts'

interface Orders {
  port: number
  connections: number
  /** Unacknowledged messages a connection, at most; the broker's Receive Maximum may lower it. */
  window: number
  load: Load
}

const CONNACK = 2

/** Connects; resolves with the socket and the Receive Maximum that the broker allows. */
function open(port: number, clientId: string): Promise<{ socket: Socket; receiveMaximum: number }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const packets = parser({ protocolVersion: 5 })
  return new Promise((resolve, reject) => {
    const feed = (chunk: Buffer) => packets.parse(chunk)
    packets.on('packet', (packet: Packet) => {
      if (packet.cmd !== 'connack') return reject(new Error(`expected CONNACK (${CONNACK}), got ${packet.cmd}`))
      socket.off('data', feed)
      resolve({ socket, receiveMaximum: packet.properties?.receiveMaximum ?? 65_535 })
    })
    socket.on('error', reject)
    socket.on('data', feed)
    socket.write(
      generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId, clean: true, keepalive: 0 }),
    )
  })
}

const orders: Orders = JSON.parse(process.argv[2] ?? '{}')
const pushers = await Promise.all(
  Array.from({ length: orders.connections }, async (_, index) => {
    const { socket, receiveMaximum } = await open(orders.port, `bench-publisher-${process.pid}-${index}`)
    const { total, rate, ...rest } = orders.load
    const share = { total: total / orders.connections, rate: rate / orders.connections }
    const pusher = new Pusher(
      socket,
      { ...rest, ...share, publisher: index },
      {
        window: Math.min(orders.window, receiveMaximum),
        version: 5,
      },
    )
    socket.on('data', (chunk: Buffer) => pusher.receive(chunk, () => undefined))
    return { socket, pusher }
  }),
)
process.send?.({ ready: true })
process.on('disconnect', () => process.exit(0))
process.once('message', () => void publishAll())

async function publishAll(): Promise<void> {
  const startedAt = now()
  await Promise.all(pushers.map(({ pusher }) => pusher.run()))
  for (const { socket } of pushers) socket.destroy()
  process.send?.({ done: { seconds: (now() - startedAt) / 1000, startedAt } })
}
