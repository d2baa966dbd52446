/**
 * One network connection to a broker: packets in, bytes out, and how it ended.
 *
 * 1. Packets go to `handle` one at a time, in order. One that it does not take (it returns false) is held: reading
 *    stops there, with nothing lost, until `resume()` offers the same packet again (R8).
 * 2. The first ending counts. After it nothing is handled and nothing is sent.
 * 3. The timer of the keepalive sends its pings whether packets are held or not; silence counts only while none is.
 */
import type { Duplex } from 'node:stream'
import type { Packet } from 'mqtt-packet'
import { decodeControlPacket, encodeControlPacket, type ProtocolVersion } from './control-packets.ts'
import { brokeProtocol, broken, type Ending, lost } from './ending.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, Framer } from './framer.ts'

/** How long a broker has to take the last bytes of a connection, in milliseconds. */
const closeTimeout = 1_000
/** So many half keepalives of silence are one and a half keepalives. */
const silenceLimit = 3

type State = 'idle' | 'handling' | 'held' | 'closed'

/** What a connection is made of. */
export interface WireOptions {
  socket: Duplex
  /** What to call the broker in problems. */
  broker: string
  version: ProtocolVersion
}

export class Wire {
  /** Resolves when it has ended; rejects only with what `handle` threw that is not a ProtocolError. */
  readonly closed: Promise<Ending>
  /** Resolves when the socket is closed as well, at most a second later. */
  readonly gone: Promise<void>
  /** Takes a packet, or returns false to have it held. */
  handle: (frame: Frame) => boolean
  /** What to call the broker in problems. */
  readonly broker: string
  readonly version: ProtocolVersion
  readonly #socket: Duplex
  readonly #framer = new Framer()
  readonly #settle: PromiseWithResolvers<Ending>
  #state: State = 'idle'
  #pinger: NodeJS.Timeout | undefined
  #silence = 0
  #heldUntil = 0

  constructor({ socket, broker, version }: WireOptions, handle: (frame: Frame) => boolean) {
    this.#socket = socket
    this.broker = broker
    this.version = version
    this.handle = handle
    this.#settle = Promise.withResolvers()
    this.closed = this.#settle.promise
    // It may reject before anybody waits for it.
    this.closed.catch(() => {})
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', error => this.close(broken(broker, error)))
    this.gone = new Promise(resolve => socket.once('close', () => resolve()))
    socket.on('close', () => this.close(broken(broker)))
  }

  /** Sends bytes; `written` is called when the system has taken them, or with an error where it never will. */
  send(bytes: Buffer, written?: (error?: Error | null) => void): void {
    if (this.#state !== 'closed') this.#socket.write(bytes, written)
  }

  /** Sends a packet other than PUBLISH. */
  sendPacket(packet: Packet): void {
    this.send(encodeControlPacket(packet, this.version))
  }

  /** Reads a frame that is no PUBLISH. Throws ProtocolError. */
  read(frame: Frame): Packet {
    return decodeControlPacket(frame.bytes.subarray(frame.packetStart, frame.end), this.version)
  }

  /** Offers the held packet again, and reads on. */
  resume(): void {
    if (this.#state !== 'held') return
    this.#heldUntil = performance.now()
    if (this.#handleFrom(true) === 'idle') this.#socket.resume()
  }

  /** Until when a packet was held last (`performance.now()`): until now, where one is. */
  get heldUntil(): number {
    return this.#state === 'held' ? performance.now() : this.#heldUntil
  }

  /** Pings twice as often as the interval, and calls the broker lost after one and a half intervals of silence. */
  keepAlive(ms: number): void {
    this.#pinger = setInterval(() => this.#ping(), ms / 2)
  }

  /** Ends it: sends a last packet, where there is one, and closes. */
  close(ending: Ending, last?: Packet): void {
    if (!this.#end()) return
    this.#settle.resolve(ending)
    if (last === undefined) {
      this.#socket.destroy()
      return
    }
    // The broker closes when it has read the last packet. To close before, with bytes unread, would be a reset, which
    // can overtake that packet.
    this.#socket.end(encodeControlPacket(last, this.version))
    this.#socket.resume()
    const timer = setTimeout(() => this.#socket.destroy(), closeTimeout)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  /** Whether this was its end. */
  #end(): boolean {
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    clearInterval(this.#pinger)
    return true
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'closed') return
    this.#silence = 0
    this.#framer.push(chunk)
    this.#handleFrom(false)
  }

  /** Handles what has arrived, beginning with the held packet where there is one; returns the state after it. */
  #handleFrom(held: boolean): State {
    this.#state = 'handling'
    // What the packets of a chunk cause to be sent leaves in one write.
    this.#socket.cork()
    try {
      let waiting = held
      while (this.#state === 'handling' && (waiting || this.#framer.next())) {
        waiting = !this.handle(this.#framer)
        if (waiting) break
      }
      this.#rest(waiting)
    } catch (error) {
      this.#fail(error)
    }
    this.#socket.uncork()
    return this.#state
  }

  /** After the last packet: `handle` may have closed it meanwhile. */
  #rest(held: boolean): void {
    if (this.#state === 'closed') return
    this.#state = held ? 'held' : 'idle'
    if (held) this.#socket.pause()
  }

  #fail(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.close(brokeProtocol(this.broker, error), { cmd: 'disconnect', reasonCode: error.reasonCode })
    } else if (this.#end()) {
      this.#socket.destroy()
      this.#settle.reject(error)
    }
  }

  #ping(): void {
    this.#silence = this.#state === 'held' ? 0 : this.#silence + 1
    if (this.#silence >= silenceLimit) {
      this.close(lost(this.broker, new Error('it has not answered for one and a half keepalives')))
    } else this.sendPacket({ cmd: 'pingreq' })
  }
}
