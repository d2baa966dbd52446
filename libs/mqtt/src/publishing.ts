import type { Problem } from '@millrace/lane'
import { disconnected, type Ending } from './ending.ts'
import { ProtocolError } from './errors.ts'
import type { Frame } from './framer.ts'
import type { Outbox } from './outbox.ts'
import { answer, type PublishLimits, Sending, type SendOptions, type Sent } from './sending.ts'
import type { Wire } from './wire.ts'

const pingresp = 13
const disconnect = 14
/** A broker that is silent through two of them, in milliseconds, is lost. */
const patience = 15_000

/** A connection to publish over. What is on its way when it ends is the outbox's to send again on the next one. */
export class Publishing {
  /** Resolves when the connection has ended. */
  readonly closed: Promise<Ending>
  readonly limits: PublishLimits
  readonly #wire: Wire
  #sending: Sending | undefined
  #over = false

  constructor(wire: Wire, limits: PublishLimits) {
    this.#wire = wire
    this.limits = limits
    this.closed = wire.closed
    // Once: a race against it for each delivery would leave something behind, for as long as the connection lasts.
    const over = () => {
      this.#over = true
      this.#sending?.cut(this.closed)
    }
    this.closed.then(over, over)
    wire.handle = frame => this.#handle(frame)
    wire.resume()
  }

  /** Sends what is not settled, the first that is not and all behind it. */
  async send(outbox: Outbox, options: SendOptions): Promise<Sent | Ending> {
    const { limits } = this
    if (limits.maximumQos === 0 && outbox.needsAnswers) return { is: 'held', problem: noAnswers(this.#wire.broker) }
    outbox.rewind()
    if (this.#over) return await this.closed
    const sending = new Sending(this.#wire, outbox, { ...options, limits })
    this.#sending = sending
    const watch = setInterval(() => sending.checkSilence(), patience)
    try {
      sending.fill()
      return await sending.ended
    } finally {
      clearInterval(watch)
      sending.stop()
      this.#sending = undefined
    }
  }

  /** Says goodbye and closes. Resolves when the connection is closed. */
  async disconnect(): Promise<void> {
    this.#wire.close({ is: 'ended' }, { cmd: 'disconnect', reasonCode: 0 })
    await this.#wire.gone
  }

  #handle(frame: Frame): boolean {
    const { first, bytes, start, end } = frame
    switch (first >> 4) {
      case answer.puback:
      case answer.pubrec:
      case answer.pubcomp:
        if (end - start < 2) throw new ProtocolError(0x81, 'An acknowledgement without a packet identifier.')
        if (this.#sending === undefined) throw unexpected(first)
        this.#sending.answered(first >> 4, bytes.readUInt16BE(start), end - start > 2 ? bytes[start + 2]! : 0)
        break
      case pingresp:
        break
      case disconnect:
        this.#wire.close(disconnected(this.#wire.broker, end > start ? bytes[start]! : 0))
        break
      default:
        throw unexpected(first)
    }
    return true
  }
}

const unexpected = (first: number) => new ProtocolError(0x82, `An unexpected packet of type ${first >> 4}.`)

function noAnswers(broker: string): Problem {
  const message = `The MQTT broker ${broker} takes messages of QoS 0 only, and the route asks for more: nothing would say whether one has arrived.`
  return { code: 'qos_unsupported', message }
}
