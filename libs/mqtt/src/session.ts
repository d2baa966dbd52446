/**
 * An MQTT session, of v5 or 3.1.1, while it is connected. A session outlives its connections; this object does not: its
 * successor on the next connection knows nothing of what was received here, so no acknowledgement can go out on the
 * wrong one.
 *
 * 1. Acknowledgements leave in the order of receipt, a burst in one write, when `acknowledge` is told to (R1).
 * 2. A PUBLISH that `receive` does not take is held, with everything behind it; pings go on (R8). So is one beyond the
 *    Receive Maximum, until there are acknowledgements: mosquitto 2.0 sends far more than it once some have come, so
 *    to close the connection, as MQTT has it (3.3.4), would be to close it again and again.
 * 3. PUBREL is answered at once, whatever its identifier.
 * 4. 3.1.1 can't say that no retained messages are wanted: they are acknowledged in their turn, and go no further. Nor
 *    can it say that they are wanted once: they come with each subscribing.
 */
import type { Problem } from '@millrace/lane'
import type { Packet } from 'mqtt-packet'
import { disconnected, type Ending } from './ending.ts'
import { ProtocolError } from './errors.ts'
import type { Frame } from './framer.ts'
import { Publish, type QoS } from './publish.ts'
import { describeReason } from './reason-codes.ts'
import { Requests } from './requests.ts'
import { Unacknowledged } from './unacknowledged.ts'
import type { Wire } from './wire.ts'

/**
 * Takes a PUBLISH, which is valid during the call. Returns the ordinal by which it will be acknowledged (they grow; with
 * QoS 0 it does not matter), or undefined to have it held until `resume`. What it throws ends the connection, and
 * `closed` rejects with it.
 */
export type Receive = (publish: Publish) => number | undefined

/** What to subscribe to. */
export interface Subscription {
  filter: string
  qos: QoS
  /** Whether retained messages are wanted, once, when the broker does not have the subscription yet. */
  retained: 'include' | 'skip'
}

/** What CONNACK said. */
export interface SessionTerms {
  /** Whether the broker had kept the session. */
  sessionPresent: boolean
  /** How long it keeps it, in seconds; it may be less than was asked for. */
  sessionExpiry: number
  receiveMaximum: number
  skipsRetained?: boolean | undefined
  /** Ends the session of a client that is not connected; in v5, DISCONNECT does that. */
  forget?: (() => Promise<void>) | undefined
}

const publishType = 3

export class Session {
  readonly sessionPresent: boolean
  /** Seconds. */
  readonly sessionExpiry: number
  /** Resolves when the connection has ended; rejects only with what `receive` threw. */
  readonly closed: Promise<Ending>
  readonly #wire: Wire
  readonly #publish: Publish
  readonly #unacknowledged: Unacknowledged
  readonly #requests: Requests
  readonly #forget: SessionTerms['forget']
  readonly #skipsRetained: boolean
  /** The last ordinals that were taken, and acknowledged. */
  #taken = 0
  #acknowledged = 0

  constructor(wire: Wire, terms: SessionTerms) {
    this.#wire = wire
    this.#publish = new Publish(wire.version)
    this.sessionPresent = terms.sessionPresent
    this.sessionExpiry = terms.sessionExpiry
    this.#unacknowledged = new Unacknowledged(terms.receiveMaximum)
    this.#requests = new Requests(wire)
    this.#skipsRetained = terms.skipsRetained ?? false
    this.#forget = terms.forget
    this.closed = wire.closed
  }

  /** Begins to read. */
  start(receive: Receive): void {
    this.#wire.handle = frame => this.#handle(frame, receive)
    this.#wire.resume()
  }

  /** Offers the PUBLISH that is held again, where one is. */
  resume(): void {
    this.#wire.resume()
  }

  /** Acknowledges everything up to the ordinal: it is stored (R1). Nothing happens once the connection has ended. */
  acknowledge(ordinal: number): void {
    this.#acknowledged = ordinal
    const bytes = this.#unacknowledged.acknowledge(ordinal)
    if (bytes === undefined) return
    this.#wire.send(bytes)
    this.#wire.resume()
  }

  /**
   * Subscribes. Resolves with what was not granted as asked: `subscription_refused`, `qos_lowered`, or `qos_0_granted`.
   * Rejects with SessionClosedError where the connection ends first, as it does where the broker does not answer in 10 s.
   */
  async subscribe(subscriptions: readonly Subscription[]): Promise<Problem[]> {
    const codes = await this.#requests.send({
      cmd: 'subscribe',
      subscriptions: subscriptions.map(({ filter, qos, retained }) => {
        // Retain handling (MQTT 5.0, 3.8.3.1): 1 is "if the subscription is new", 2 is "never".
        return { topic: filter, qos, nl: false, rap: true, rh: retained === 'include' ? 1 : 2 }
      }),
    })
    return subscriptions.flatMap((subscription, at) => subscriptionProblem(subscription, codes[at]) ?? [])
  }

  /** Ends subscriptions; one that the broker does not have is none to end. Rejects as `subscribe` does. */
  async unsubscribe(filters: readonly string[]): Promise<void> {
    await this.#requests.send({ cmd: 'unsubscribe', unsubscriptions: [...filters] })
  }

  /**
   * Says goodbye and closes. `keep` leaves the session at the broker, which stores for it from now on; `end` ends it,
   * and what it held is gone. Resolves when the connection is closed.
   */
  async disconnect(session: 'keep' | 'end'): Promise<void> {
    const properties = session === 'end' ? { properties: { sessionExpiryInterval: 0 } } : {}
    this.#wire.close({ is: 'ended' }, { cmd: 'disconnect', reasonCode: 0, ...properties })
    await this.#wire.gone
    if (session === 'end') await this.#forget?.()
  }

  #handle(frame: Frame, receive: Receive): boolean {
    if (frame.first >> 4 !== publishType) {
      this.#handleControl(this.#wire.read(frame))
      return true
    }
    const publish = this.#publish
    publish.read(frame)
    const isSkipped = this.#skipsRetained && publish.retain
    if (publish.qos === 0) return isSkipped || receive(publish) !== undefined
    if (this.#unacknowledged.full) return false
    const ordinal = isSkipped ? this.#taken : receive(publish)
    if (ordinal === undefined) return false
    this.#taken = ordinal
    this.#unacknowledged.add(ordinal, publish.packetId, publish.qos)
    if (isSkipped && ordinal <= this.#acknowledged) this.acknowledge(this.#acknowledged)
    return true
  }

  #handleControl(packet: Packet): void {
    switch (packet.cmd) {
      case 'pingresp':
        break
      case 'pubrel':
        this.#wire.sendPacket({ cmd: 'pubcomp', messageId: packet.messageId ?? 0, reasonCode: 0 })
        break
      case 'suback':
        this.#requests.answered(packet.messageId ?? 0, packet.granted.map(Number))
        break
      case 'unsuback':
        this.#requests.answered(packet.messageId ?? 0, [])
        break
      case 'disconnect':
        this.#wire.close(disconnected(this.#wire.broker, packet.reasonCode ?? 0))
        break
      case 'auth':
      case 'connack':
      case 'connect':
      case 'pingreq':
      case 'puback':
      case 'pubcomp':
      case 'publish':
      case 'pubrec':
      case 'subscribe':
      case 'unsubscribe':
        throw new ProtocolError(0x82, `An unexpected ${packet.cmd.toUpperCase()}.`)
    }
  }
}

function subscriptionProblem({ filter, qos }: Subscription, code = 0x80): Problem | undefined {
  if (code >= 0x80) {
    const message = `The broker refused the subscription to "${filter}": ${describeReason(code)}.`
    return { code: 'subscription_refused', message }
  }
  if (code >= qos) return undefined
  const message = `The broker grants QoS ${code} for "${filter}", not QoS ${qos}.`
  return { code: code === 0 ? 'qos_0_granted' : 'qos_lowered', message }
}
