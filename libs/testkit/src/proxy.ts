/**
 * A TCP proxy that breaks things: what stands between a client and a real server when a test needs a network that
 * fails. What was read is passed on in order, whatever is switched meanwhile.
 */
import { once } from 'node:events'
import { connect, createServer, type Server as Listener, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@millrace/local'

/** Says of bytes on their way whether they pass, or are lost together with their connection; `connection` tells which. */
export type OnBytes = (bytes: Buffer, connection: object) => 'pass' | 'cut'

/** A running proxy. Its port stays the same over `refuse` and `accept`. */
export class Proxy implements AsyncDisposable {
  readonly port: number
  readonly #targetPort: number
  readonly #listener: Listener
  /** Client's socket to server's socket. */
  readonly #pairs = new Map<Socket, Socket>()
  #delay = 0
  #onRequest: OnBytes | undefined
  #onAnswer: OnBytes | undefined
  /** Settled unless frozen. */
  #thawed: PromiseWithResolvers<void> | undefined

  constructor(port: number, targetPort: number) {
    this.port = port
    this.#targetPort = targetPort
    this.#listener = createServer({ pauseOnConnect: true }, client => this.#join(client))
  }

  /** How many connections go through it now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Ends every connection with a reset, to both sides. New ones are let in. */
  cut(): void {
    for (const client of this.#pairs.keys()) this.#cut(client)
  }

  /** Listens no more: new connections are refused. Those that are there stay; use `cut` as well to end them. */
  refuse(): void {
    this.#listener.close()
  }

  /** Listens (again). */
  async accept(): Promise<void> {
    this.#listener.listen(this.port, '127.0.0.1')
    await once(this.#listener, 'listening')
  }

  /** Half open: connections stay and new ones are taken, but no byte passes either way until `thaw`. */
  freeze(): void {
    this.#thawed ??= Promise.withResolvers<void>()
    this.#sockets(socket => socket.pause())
  }

  /** Lets bytes pass again after `freeze`; none that was sent meanwhile is missing. */
  thaw(): void {
    this.#thawed?.resolve()
    this.#thawed = undefined
    this.#sockets(socket => socket.resume())
  }

  /** Every byte takes so many milliseconds more from now on, each way; throughput stays. */
  delay(milliseconds: number): void {
    this.#delay = milliseconds
  }

  /** Looks at all that clients send from now on; undefined stops it. */
  onRequest(decide: OnBytes | undefined): void {
    this.#onRequest = decide
  }

  /** Looks at all that the server sends from now on; undefined stops it. */
  onAnswer(decide: OnBytes | undefined): void {
    this.#onAnswer = decide
  }

  /** The next bytes that the server sends are lost, and their connection is cut: done there, not known here. */
  dropAnswers(): void {
    this.onAnswer(() => {
      this.onAnswer(undefined)
      return 'cut'
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw()
    this.cut()
    if (!this.#listener.listening) return
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    await closed
  }

  #join(client: Socket): void {
    const server = connect(this.#targetPort, '127.0.0.1')
    this.#pairs.set(client, server)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      // A reset is what this is for; the close that follows is what matters.
      socket.on('error', () => {})
      socket.on('close', () => {
        // After an orderly end, what was read before it is still on its way.
        if (!socket.readableEnded || (client.closed && server.closed)) this.#cut(client)
      })
    }
    this.#pipe(client, server, bytes => this.#onRequest?.(bytes, client) ?? 'pass')
    this.#pipe(server, client, bytes => this.#onAnswer?.(bytes, client) ?? 'pass')
    if (this.#thawed === undefined) client.resume()
    else server.pause()
  }

  #pipe(from: Socket, to: Socket, decide: (bytes: Buffer) => 'pass' | 'cut'): void {
    let before = Promise.resolve()
    let isCut = false
    const inOrder = (step: () => void) => {
      before = Promise.all([before, sleep(this.#delay)])
        .then(() => this.#thawed?.promise)
        .then(step)
    }
    from.on('data', (bytes: Buffer) =>
      inOrder(() => {
        if (isCut) return
        if (decide(bytes) === 'cut') {
          // What was read behind them is lost as well: a stream has no holes.
          isCut = true
          from.resetAndDestroy()
        } else if (!to.destroyed && !to.write(bytes) && !from.isPaused()) {
          from.pause()
          to.once('drain', () => this.#thawed ?? from.resume())
        }
      }),
    )
    from.on('end', () => inOrder(() => to.end()))
  }

  #cut(client: Socket): void {
    const server = this.#pairs.get(client)
    this.#pairs.delete(client)
    for (const socket of [client, server]) if (socket?.destroyed === false) socket.resetAndDestroy()
  }

  #sockets(act: (socket: Socket) => void): void {
    for (const pair of this.#pairs) pair.forEach(act)
  }
}

/** Starts a proxy in front of a port of this machine. */
export async function startProxy(targetPort: number): Promise<Proxy> {
  const proxy = new Proxy(await freePort(), targetPort)
  await proxy.accept()
  return proxy
}
