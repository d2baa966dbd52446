/**
 * SUBSCRIBE and UNSUBSCRIBE on their way: which answer is whose, and an end to waiting for one. A broker that answers
 * pings and nothing else would be waited for without end; so one that is silent on a request has lost the connection.
 * Only time in which packets were read counts: the answer may stand behind a packet that is held (R8).
 */
import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet'
import { lost } from './ending.ts'
import { SessionClosedError } from './errors.ts'
import type { Wire } from './wire.ts'

type Request = Omit<ISubscribePacket, 'messageId'> | Omit<IUnsubscribePacket, 'messageId'>

/** How long SUBACK and UNSUBACK may take, in milliseconds; as long as CONNACK. */
const answerTimeout = 10_000
const largestPacketId = 0xffff

/** The requests of one connection. */
export class Requests {
  readonly #wire: Wire
  /** Those that wait for an answer, by packet identifier. */
  readonly #waiting = new Map<number, PromiseWithResolvers<number[]>>()
  #lastId = 0
  #over = false

  constructor(wire: Wire) {
    this.#wire = wire
    // Once, not for each request: what waits for the end stays as long as the connection lasts.
    const end = () => {
      this.#over = true
      for (const { reject } of this.#waiting.values()) reject(new SessionClosedError())
    }
    wire.closed.then(end, end)
  }

  /** Resolves with the reason codes of the answer. Rejects with SessionClosedError where the connection ends first. */
  async send(request: Request): Promise<number[]> {
    if (this.#over) throw new SessionClosedError()
    this.#lastId = (this.#lastId % largestPacketId) + 1
    const waiting = Promise.withResolvers<number[]>()
    this.#waiting.set(this.#lastId, waiting)
    this.#wire.sendPacket({ ...request, messageId: this.#lastId })
    const stop = this.#limit(request.cmd)
    return await waiting.promise.finally(stop)
  }

  /** The broker has answered; what was not asked for says nothing. */
  answered(id: number, codes: number[]): void {
    this.#waiting.get(id)?.resolve(codes)
    this.#waiting.delete(id)
  }

  /** Closes the connection where no answer comes in time; returns what stops that. */
  #limit(cmd: Request['cmd']): () => void {
    const wire = this.#wire
    const sentAt = performance.now()
    const check = () => {
      const rest = Math.max(sentAt, wire.heldUntil) + answerTimeout - performance.now()
      if (rest > 0) timer = setTimeout(check, rest)
      else wire.close(lost(wire.broker, new Error(`it has not answered ${cmd.toUpperCase()} in 10 s`)))
    }
    let timer = setTimeout(check, answerTimeout)
    return () => clearTimeout(timer)
  }
}
