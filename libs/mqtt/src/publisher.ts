/**
 * A lane's publisher: takes one delivery at a time, and sends it until everything is confirmed or refused, over one
 * connection after another.
 *
 *   add, add, ... --deliver--> connected? --> send --> done | refused            all is settled
 *                                                  --> hold: the broker's answer --> deliver again, one at a time
 *                                                  --> unknown: the connection ended --> deliver again
 *
 * 1. What counts as delivered is a prefix: from the first PUBLISH that is not confirmed, everything goes out again.
 * 2. A broker that ends the connection over a PUBLISH does not say over which, and what it says may be lost while more
 *    is on its way. So after a lost connection the first goes out alone, and after another one each; what ends a
 *    connection as its first is judged by what the broker said. Where the broker just closes, as all do in 3.1.1, it is
 *    the PUBLISH's doing when it has happened three times: alone on its way, each time over a connection that was let in.
 *    For one right behind such a one it is twice as often, and so on: a broker that takes nothing is not to empty a lane.
 * 3. A connection that was there and ended may have been taken over (R9): before the next one the assignment is asked.
 */
import type { Outcome, Problem, Refusal } from '@millrace/lane'
import type { RecordView } from '@millrace/record'
import type { PublishingAttempt } from './connect.ts'
import type { ProtocolVersion } from './control-packets.ts'
import type { Ending } from './ending.ts'
import { type Draft, type Entry, Outbox } from './outbox.ts'
import { Publishing } from './publishing.ts'
import type { PublishLimits, SendOptions } from './sending.ts'
import { judge, type Judgement, mayBeAboutPublish } from './verdict.ts'

/** What a lane's publisher is opened with. */
export interface PublisherOptions extends Judgement {
  version: ProtocolVersion
  onExpired: 'drop' | 'deadLetter'
  /** Connects once. */
  connect: () => Promise<PublishingAttempt>
  /** R11: asked before each connect; `again` where a connection was lost. False: this is no longer the owner. */
  mayConnect: (again: boolean) => boolean | Promise<boolean>
}

/** A PUBLISH on which the broker hangs up so often, with nothing else on its way, is not tried again. */
const fewestHangUps = 3
/** What is shown of a topic, in characters. */
const shownTopic = 200

const notOwner: Problem = {
  code: 'not_owner',
  message: 'The assignment is being read again; nothing is sent before it is known.',
}
const closed: Problem = { code: 'closed', message: 'The publisher is closed.' }
const expired: Problem = { code: 'expired', message: 'Its message expiry has passed before it could be delivered.' }

export class Publisher {
  readonly #options: PublisherOptions
  readonly #outbox: Outbox
  #publishing: Publishing | undefined
  #limits: PublishLimits | undefined
  #connecting: Promise<Publishing | Problem> | undefined
  #alone: SendOptions['alone']
  /** How often the broker hung up on what is first now, alone on its way. */
  #hangUps = 0
  /** How often it may: more, where nothing has passed since one was refused for that. */
  #mostHangUps = fewestHangUps
  #closed = false

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#outbox = new Outbox(options.version)
  }

  /** What the broker said it can do when it let us in last. */
  get limits(): PublishLimits | undefined {
    return this.#limits
  }

  /** Encodes a record's PUBLISH; `index` says which record of the delivery it is. */
  add(draft: Draft, view: RecordView, index: number): void {
    this.#outbox.add(draft, view, index)
  }

  /** Makes a record of this delivery one that can never pass. */
  refuse(refusal: Refusal): void {
    this.#outbox.refuse(refusal)
  }

  /** Whether nothing is to be sent. */
  get idle(): boolean {
    return this.#outbox.count === 0
  }

  /** Connects, where it is not connected, or awaits the attempt that is under way; else says why not. */
  async connect(): Promise<Publishing | Problem> {
    if (this.#closed) return closed
    if (this.#publishing !== undefined) return this.#publishing
    // Two with one client id would end each other.
    this.#connecting ??= this.#connectOnce().finally(() => {
      this.#connecting = undefined
    })
    return await this.#connecting
  }

  async #connectOnce(): Promise<Publishing | Problem> {
    if (!(await this.#options.mayConnect(this.#limits !== undefined))) return notOwner
    const attempt = await this.#options.connect()
    if (attempt.is !== 'connected') return problemOf(attempt)
    const { publishing } = attempt
    if (this.#closed) {
      await publishing.disconnect()
      return closed
    }
    this.#limits = publishing.limits
    this.#publishing = publishing
    const gone = () => {
      if (this.#publishing === publishing) this.#publishing = undefined
    }
    publishing.closed.then(gone, gone)
    return publishing
  }

  /** Sends what was added and is not settled yet; after `hold` or `unknown` it is called again, with nothing added. */
  async deliver(): Promise<Outcome> {
    const outbox = this.#outbox
    if (outbox.count === 0) return this.#settled()
    const publishing = await this.connect()
    if (!(publishing instanceof Publishing)) return { is: 'hold', problem: publishing }
    const first = outbox.oldest
    const sent = await publishing.send(outbox, {
      judge: code => judge(code, this.#options),
      expired: this.#options.onExpired === 'deadLetter' ? expired : undefined,
      alone: this.#alone,
    })
    if (sent.is === 'settled') {
      this.#mostHangUps = fewestHangUps
      return this.#settled()
    }
    if (sent.is === 'held') {
      this.#alone = 'first'
      return { is: 'hold', problem: sent.problem }
    }
    const problem = this.#lost(sent, outbox.oldest === first)
    return outbox.oldest === outbox.count ? this.#settled() : { is: 'unknown', problem }
  }

  /** Says goodbye; nothing is sent any more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#publishing?.disconnect()
  }

  /**
   * The connection has ended with something on its way; `isFirst` where that began with what is first now. Returns what
   * stands in the way.
   */
  #lost(ending: Ending, isFirst: boolean): Problem {
    const outbox = this.#outbox
    const first = outbox.entry(outbox.oldest)
    const isFound = this.#alone !== undefined && isFirst
    if (!isFirst) [this.#hangUps, this.#mostHangUps] = [0, fewestHangUps]
    if (ending.is === 'refused' && mayBeAboutPublish(ending.reasonCode)) {
      const verdict = judge(ending.reasonCode, this.#options)
      if (isFound && verdict.is === 'refused') outbox.settle(first, verdict)
      this.#alone = isFound ? undefined : 'each'
      return problemOf(ending)
    }
    this.#alone = this.#alone === undefined ? 'first' : 'each'
    const isHangUp = ending.is === 'lost' && ending.hungUp === true && first.state === 'sent' && first.qos > 0
    return isFound && isHangUp ? this.#suspect(first) : problemOf(ending)
  }

  /** The broker hung up on what is first now. */
  #suspect(first: Entry): Problem {
    this.#hangUps++
    const topic = this.#outbox.topicOf(this.#outbox.oldest).slice(0, shownTopic)
    const times = `${this.#hangUps} of ${this.#mostHangUps} times`
    const message = `The MQTT broker closed the connection over a PUBLISH to ${topic}, alone on its way, ${times}, and did not say why: it may be too large for it, or not allowed there.`
    if (this.#hangUps === this.#mostHangUps) {
      this.#outbox.settle(first, { problem: { code: 'refused', message } })
      this.#alone = undefined
      this.#hangUps = 0
      this.#mostHangUps *= 2
    }
    return { code: 'broker_disconnected', message }
  }

  #settled(): Outcome {
    const { refusals, expired } = this.#outbox
    this.#outbox.clear()
    this.#alone = undefined
    this.#hangUps = 0
    if (refusals.length === 0) return { is: 'done', expired }
    return { is: 'refused', expired, refusals: refusals.sort((a, b) => a.index - b.index) }
  }
}

const problemOf = (ending: Ending): Problem => (ending.is === 'ended' ? closed : ending.problem)
