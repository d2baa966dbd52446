import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { generate, type IConnackPacket, type Packet, parser } from 'mqtt-packet'

/** One client's connection, from the broker's side. */
export class Client {
  readonly received: Packet[] = []
  closed = false
  readonly #socket: Socket

  constructor(socket: Socket, script: (client: Client, packet: Packet) => void) {
    this.#socket = socket
    const reader = parser({ protocolVersion: 5 })
    reader.on('packet', packet => {
      this.received.push(packet)
      script(this, packet)
      if (packet.cmd === 'disconnect') socket.end()
    })
    socket.on('data', (bytes: Buffer) => reader.parse(bytes))
    socket.on('close', () => {
      this.closed = true
    })
    // A client that is tested for going away may go with a reset.
    socket.on('error', () => {})
  }

  send(...packets: (Packet | Buffer)[]): void {
    const encoded = packets.map(packet => (Buffer.isBuffer(packet) ? packet : generate(packet, { protocolVersion: 5 })))
    this.#socket.write(Buffer.concat(encoded))
  }

  end(): void {
    this.#socket.end()
  }

  /** The packets of one kind. */
  all(cmd: Packet['cmd']): Packet[] {
    return this.received.filter(packet => packet.cmd === cmd)
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** A broker that does what a test tells it. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly port: number
  readonly clients: readonly Client[]
}

/** What a broker says that keeps no session and lets everybody in. */
export const accepted: IConnackPacket = { cmd: 'connack', sessionPresent: false, reasonCode: 0 }

/** Starts a broker that calls `script` for every packet of every client. */
export async function startScriptedBroker(script: (client: Client, packet: Packet) => void): Promise<ScriptedBroker> {
  const clients: Client[] = []
  const server = createServer(socket => clients.push(new Client(socket, script)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: addressOf(server.address()).port,
    clients,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('A server without a port.')
  return address
}
