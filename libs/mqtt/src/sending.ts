/**
 * Brings what is in an outbox to the broker, in order, as far ahead of its answers as the broker allows (Receive
 * Maximum; MQTT 5.0, 4.9), a burst in one write.
 *
 *   fill: write what may be on its way --> PUBACK, PUBREC, PUBCOMP --> fill --> ... --> settled
 *                                                     \-- hold: write nothing more, await the answers --> held
 *
 * 1. At most `receiveMaximum` PUBLISHes of QoS 1 and 2 are on their way, and no packet identifier twice.
 * 2. PUBREL goes out in the order of the PUBRECs (MQTT 5.0, 4.6). A broker may pass a message of QoS 2 on only then, so
 *    what is of a lower QoS waits for those before it. QoS 2 waits for QoS 1 as well: a broker that lets small packets
 *    wait for our next one, as mosquitto does, would keep its PUBREC behind the PUBACK for 40 ms.
 * 3. While answers are late, pings go out. Each acknowledges, in TCP, what has come: a broker that leaves Nagle's algorithm
 *    on, as mosquitto does, keeps all answers but the first until then, or for 40 ms.
 * 4. A broker that answers nothing for half a minute, while something is on its way and the system has taken it, has
 *    lost the connection.
 */
import type { Problem } from '@millrace/lane'
import { type Ending, lost } from './ending.ts'
import { ProtocolError } from './errors.ts'
import { type Entry, type Outbox, packetIds } from './outbox.ts'
import type { QoS } from './publish.ts'
import { firstError } from './reason-codes.ts'
import type { Wire } from './wire.ts'

/** What CONNACK said. */
export interface PublishLimits {
  receiveMaximum: number
  maximumQos: QoS
  /** Whether the broker keeps retained messages. */
  retain: boolean
  /** Bytes; infinite where the broker said none. */
  maximumPacketSize: number
}

/** What a reason code means for a PUBLISH: it has passed, it may pass later, or it never will. */
export type Verdict = { is: 'done' } | { is: 'hold' | 'refused'; problem: Problem }

/** How sending ended; `held` by the broker's answer, with what is not settled to be sent again later. */
export type Sent = { is: 'settled' } | { is: 'held'; problem: Problem }

/** How an outbox is sent. */
export interface SendOptions {
  /** Judges the reason code of an answer. */
  judge: (reasonCode: number) => Verdict
  /** Why a PUBLISH whose time has passed is refused; absent: it is left out. */
  expired?: Problem | undefined
  /** One at a time: until the first is settled, because it was held; or all, because one of them is suspected. */
  alone?: 'first' | 'each' | undefined
}

/** The packet types of answers to a PUBLISH. */
export const answer = { puback: 4, pubrec: 5, pubcomp: 7 } as const
const pubrelBytes = [0x62, 2] as const
/** After so many milliseconds without an answer the first ping goes out, and the last one. */
const firstNudge = 1
const lastNudge = 16

/** One outbox on its way over one connection. */
export class Sending {
  /** Resolves when all is settled, when something is held and nothing is on its way any more, or as `cut` says. */
  readonly ended: Promise<Sent | Ending>
  readonly #wire: Wire
  readonly #outbox: Outbox
  readonly #options: SendOptions & { limits: PublishLimits }
  readonly #end = Promise.withResolvers<Sent | Ending>()
  /** The next entry to write. */
  #next: number
  /** How many of QoS 1 and 2 are on their way, and how many may be. */
  #onTheirWay = 0
  /** Those of QoS 2. */
  #exact = 0
  #window: number
  /** Writes that the system has not taken yet. */
  #writing = 0
  #held: Problem | undefined
  #filling = false
  /** Whether the broker has answered since the last look. */
  #heard = true
  #stopped = false
  #nudge: NodeJS.Timeout | undefined

  constructor(wire: Wire, outbox: Outbox, options: SendOptions & { limits: PublishLimits }) {
    this.#wire = wire
    this.#outbox = outbox
    this.#options = options
    this.#next = outbox.oldest
    this.#window = options.alone !== undefined ? 1 : options.limits.receiveMaximum
    this.ended = this.#end.promise
  }

  /** Writes what may be on its way now. */
  fill(): void {
    this.#filling = false
    const outbox = this.#outbox
    const now = Date.now()
    let from = this.#next
    while (this.#next < outbox.count && this.#hasRoom(outbox.entry(this.#next))) {
      const number = this.#next++
      if (this.#prepare(outbox.entry(number), now)) continue
      this.#write(from, number)
      from = this.#next
    }
    this.#write(from, this.#next)
    this.#finish()
    this.#nudgeAfter(firstNudge)
  }

  /** An answer. Throws ProtocolError where nothing waits for it. */
  answered(kind: number, packetId: number, reasonCode: number): void {
    this.#heard = true
    const number = this.#outbox.numberOf(packetId)
    const entry = number < this.#next ? this.#outbox.entry(number) : undefined
    if (entry === undefined || kind !== awaited(entry)) {
      throw new ProtocolError(0x82, `An acknowledgement of type ${kind} that nothing waits for.`)
    }
    if (kind === answer.pubrec && reasonCode < firstError) this.#received(entry, packetId, reasonCode)
    else if (kind === answer.pubcomp) this.#completed(entry)
    else this.#judged(entry, reasonCode)
    if (this.#filling) return
    this.#filling = true
    // Once for all answers of a chunk.
    queueMicrotask(() => this.fill())
  }

  /** The connection has ended, so. */
  cut(ending: Promise<Ending>): void {
    this.#end.resolve(ending)
  }

  /** Nothing more is done. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#nudge)
  }

  /** To be called at times: closes the connection where nothing was answered since the call before. */
  checkSilence(): void {
    if (this.#onTheirWay > 0 && this.#writing === 0 && !this.#heard) {
      this.#wire.close(lost(this.#wire.broker, new Error('it does not answer what is published')))
    }
    this.#heard = this.#writing > 0
  }

  #hasRoom({ qos }: Entry): boolean {
    if (this.#held !== undefined || this.#stopped) return false
    const isExact = Math.min(qos, this.#options.limits.maximumQos) === 2
    if (this.#onTheirWay > 0 && isExact !== this.#exact > 0) return false
    return this.#onTheirWay < this.#window && this.#next - this.#outbox.oldest < packetIds
  }

  /** Makes an entry ready for this broker, now; false where it does not go out. */
  #prepare(entry: Entry, now: number): boolean {
    const { limits, expired } = this.#options
    const outbox = this.#outbox
    if (entry.state !== 'waiting') return false
    if (!outbox.refresh(entry, now)) {
      outbox.settle(entry, expired === undefined ? 'expired' : { problem: expired })
      return false
    }
    if (entry.end - entry.start > limits.maximumPacketSize) {
      const message = `A PUBLISH of ${entry.end - entry.start} bytes; the broker takes ${limits.maximumPacketSize}.`
      outbox.settle(entry, { problem: { code: 'too_large', message } })
      return false
    }
    if (entry.qos > limits.maximumQos || !limits.retain) outbox.lower(entry, limits)
    entry.state = 'sent'
    if (entry.qos > 0) this.#onTheirWay++
    if (entry.qos === 2) this.#exact++
    return true
  }

  #write(from: number, to: number): void {
    if (from === to) return
    this.#writing++
    this.#wire.send(this.#outbox.bytes(from, to), error => {
      this.#writing--
      if (this.#stopped || error) return
      for (let number = from; number < to; number++) {
        const entry = this.#outbox.entry(number)
        if (entry.qos === 0) this.#outbox.settle(entry, 'done')
      }
      this.#finish()
    })
  }

  /** PUBREC: the broker has it, and is told that we know. */
  #received(entry: Entry, packetId: number, reasonCode: number): void {
    const verdict = this.#options.judge(reasonCode)
    if (verdict.is !== 'done') this.#held ??= verdict.problem
    entry.state = verdict.is === 'done' ? 'received' : 'unwanted'
    this.#wire.send(Buffer.of(...pubrelBytes, packetId >> 8, packetId & 0xff))
  }

  /** PUBCOMP. */
  #completed(entry: Entry): void {
    this.#arrived(entry)
    if (entry.state === 'unwanted') entry.state = 'waiting'
    else this.#passed(entry, 'done')
  }

  /** PUBACK, or a PUBREC that is the last word. */
  #judged(entry: Entry, reasonCode: number): void {
    this.#arrived(entry)
    const verdict = this.#options.judge(reasonCode)
    if (verdict.is === 'hold') {
      entry.state = 'waiting'
      this.#held ??= verdict.problem
    } else this.#passed(entry, verdict.is === 'done' ? 'done' : verdict)
  }

  #arrived({ qos }: Entry): void {
    this.#onTheirWay--
    if (qos === 2) this.#exact--
  }

  /** Sends a ping where no answer comes for so long, and then again, less and less often. */
  #nudgeAfter(milliseconds: number): void {
    clearTimeout(this.#nudge)
    if (this.#onTheirWay === 0 || this.#stopped || milliseconds > lastNudge) return
    this.#nudge = setTimeout(() => {
      this.#wire.sendPacket({ cmd: 'pingreq' })
      this.#nudgeAfter(2 * milliseconds)
    }, milliseconds)
  }

  #passed(entry: Entry, state: 'done' | { problem: Problem }): void {
    this.#outbox.settle(entry, state)
    if (this.#options.alone !== 'each') this.#window = this.#options.limits.receiveMaximum
  }

  #finish(): void {
    if (this.#writing > 0) return
    if (this.#outbox.oldest === this.#outbox.count) this.#end.resolve({ is: 'settled' })
    else if (this.#held !== undefined && this.#onTheirWay === 0) this.#end.resolve({ is: 'held', problem: this.#held })
  }
}

/** The answer that an entry waits for. */
function awaited({ state, qos }: Entry): number | undefined {
  if (state === 'sent' && qos > 0) return qos === 1 ? answer.puback : answer.pubrec
  return state === 'received' || state === 'unwanted' ? answer.pubcomp : undefined
}
