import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { freePort } from '@millrace/testkit'

/** CONNACK: welcome, no session. */
export const connack = Buffer.of(0x20, 3, 0, 0, 0)
/** SUBACK to the first request of a connection, with one reason code. */
export const suback = (code: number) => Buffer.of(0x90, 4, 0, 1, 0, code)
/** DISCONNECT: session taken over. */
export const takenOver = Buffer.of(0xe0, 2, 0x8e, 0)

/** A broker that says what it is told to. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly url: string
  /** How many connections there have been. */
  readonly connections: number
}

/** Starts a broker that answers what comes first on a connection with the first answer, and so on. */
export async function startScriptedBroker(answers: readonly Buffer[]): Promise<ScriptedBroker> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    let received = 0
    socket.on('data', () => {
      const answer = answers[received++]
      if (answer !== undefined) socket.write(answer)
    })
    // A client that goes away may do so with a reset.
    socket.on('error', () => {})
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `mqtt://127.0.0.1:${port}`,
    get connections() {
      return sockets.length
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
