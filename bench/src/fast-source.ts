/**
 * A process that speaks MQTT v5 as a broker does, to one subscriber, and pushes at it within its Receive Maximum: the
 * source that is never the bottleneck. Told what to do by its parent: `{load}`; says `{port}`, then `{subscribed}`,
 * and `{done}` with how long it took.
 */
import { createServer, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { type Load, Pusher } from './pusher.ts'
import { now } from './stamp.ts'

/** What a subscriber gets that does not say how much it takes: MQTT 3.1.1 can't. */
const DEFAULT_WINDOW = 20_000
const PINGREQ = 12

interface Subscriber {
  /** Its Receive Maximum. */
  window: number
  version: 4 | 5
}

/** Greets a subscriber: CONNACK, SUBACK. Resolves once it has subscribed. */
function greet(socket: Socket): Promise<Subscriber> {
  const packets = parser()
  const subscriber: Subscriber = { window: DEFAULT_WINDOW, version: 5 }
  return new Promise(resolve => {
    const feed = (chunk: Buffer) => packets.parse(chunk)
    packets.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connect') {
        subscriber.window = packet.properties?.receiveMaximum ?? DEFAULT_WINDOW
        subscriber.version = packet.protocolVersion === 5 ? 5 : 4
        const accepted = { cmd: 'connack', reasonCode: 0, returnCode: 0, sessionPresent: false } as const
        socket.write(generate(accepted, { protocolVersion: subscriber.version }))
      } else if (packet.cmd === 'subscribe') {
        const granted = packet.subscriptions.map(() => 1)
        const answer = { cmd: 'suback', messageId: packet.messageId ?? 0, granted } as const
        socket.write(generate(answer, { protocolVersion: subscriber.version }))
        socket.off('data', feed)
        resolve(subscriber)
      }
    })
    socket.on('data', feed)
  })
}

async function push(socket: Socket, load: Load): Promise<void> {
  const subscriber = await greet(socket)
  process.send?.({ subscribed: true })
  await new Promise<void>(resolve => process.once('message', () => resolve()))
  const pusher = new Pusher(socket, load, subscriber)
  const startedAt = now()
  socket.on('data', (chunk: Buffer) =>
    pusher.receive(chunk, type => {
      if (type === PINGREQ) socket.write(generate({ cmd: 'pingresp' }))
    }),
  )
  await pusher.run()
  process.send?.({ done: { seconds: (now() - startedAt) / 1000, startedAt } })
}

const load: Load = JSON.parse(process.argv[2] ?? '{}')
const server = createServer(socket => {
  socket.setNoDelay(true)
  socket.on('error', error => process.send?.({ failed: error.message }))
  void push(socket, load)
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }))
process.on('disconnect', () => process.exit(0))
