/** An MQTT broker that is none, or does what no good one would: a socket, and an answer to each kind of packet. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** What it answers, by the kind of packet: the high four bits of its first byte. The packet is whole. */
export type Answers = { [kind: number]: (packet: Buffer) => Buffer | undefined }

/** Kinds of packets. */
export const kind = { connect: 1, puback: 4, subscribe: 8, pingreq: 12 } as const

/** What a good broker answers. */
export const good: Answers = {
  [kind.connect]: () => Buffer.of(0x20, 3, 0, 0, 0),
  [kind.subscribe]: packet => {
    const body = packet.subarray(bodyOf(packet))
    const granted = filtersIn(body.subarray(3)).map(() => 1)
    return Buffer.of(0x90, 3 + granted.length, body[0]!, body[1]!, 0, ...granted)
  },
  [kind.pingreq]: () => Buffer.of(0xd0, 0),
}

/** A broker that listens. */
export interface CrookedBroker extends AsyncDisposable {
  readonly url: string
  /** How many connections it has had. */
  readonly connections: number
}

/** Starts it. The answers may be changed while it runs. */
export async function startCrooked(answers: Answers): Promise<CrookedBroker> {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      for (const packet of packetsIn(bytes)) socket.write(answers[packet[0]! >> 4]?.(packet) ?? '')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** What our session sends is small and comes whole: a chunk holds packets and nothing else. */
function packetsIn(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + bodyOf(bytes.subarray(at)) + lengthOf(bytes.subarray(at))
    packets.push(bytes.subarray(at, end))
    at = end
  }
  return packets
}

/** Where the body begins, and its length: one byte below 128, else two. */
const bodyOf = (packet: Buffer): number => (packet[1]! < 0x80 ? 2 : 3)
const lengthOf = (packet: Buffer): number => (packet[1]! & 0x7f) + (packet[1]! < 0x80 ? 0 : packet[2]! << 7)

/** The filters of a SUBSCRIBE, behind its packet identifier and (no) properties: each with a byte of options. */
function filtersIn(bytes: Buffer): string[] {
  const filters: string[] = []
  for (let at = 0; at < bytes.length; at += 3 + bytes.readUInt16BE(at)) {
    filters.push(bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at)))
  }
  return filters
}
