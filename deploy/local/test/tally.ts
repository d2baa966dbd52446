/** What publishers of a route were told, against what arrives where it delivers: followed while it grows. */
import { eventually, type Kafka, Ledger } from '@millrace/testkit'
import { numberOf } from './publishers.ts'
import type { Whole } from './whole.ts'

/** Something that was delivered, with the name of its publisher. */
export interface Arrival {
  publisher: string
  payload: Buffer
  place: string
}

/** Tells all that arrives from now on; what it returns has told, when it resolves, all that is there by then. */
export type Follow = (tell: (arrival: Arrival) => void) => () => Promise<void>

/** The records of a topic, keyed by publisher. */
export function inTopic(kafka: Kafka, topic: string): Follow {
  return tell =>
    kafka.follow(topic, ({ key, value, partition, offset }) =>
      tell({ publisher: String(key), payload: value ?? Buffer.alloc(0), place: `${partition}@${offset}` }),
    )
}

/** One route's ledger. Unless told, the route delivers to the topic of its name, keyed by publisher. */
export class Tally {
  readonly ledger = new Ledger()
  /** What has arrived, repetitions included. */
  arrived = 0
  readonly #whole: Whole
  readonly #route: string
  readonly #look: () => Promise<void>

  constructor(whole: Whole, route: string, follow = inTopic(whole.kafka, route)) {
    this.#whole = whole
    this.#route = route
    this.#look = follow(({ publisher, payload, place }) => {
      this.arrived += 1
      this.ledger.delivered(publisher, numberOf(publisher, payload), place)
    })
  }

  /** Waits until so many more have arrived. */
  async arrive(records: number): Promise<void> {
    const from = this.arrived
    await this.#until(() => this.arrived >= from + records, `${records} more of ${this.#route} arrive`)
  }

  /** Waits until so many more messages are acknowledged to publishers. */
  async acknowledge(messages: number): Promise<void> {
    const from = this.ledger.report().acknowledged
    const got = () => this.ledger.report().acknowledged >= from + messages
    await eventually(got, { what: `${messages} more messages acknowledged`, interval: 50, timeout: 60_000 })
  }

  /** Waits until all that was acknowledged has arrived; what is missing by then is lost, which is for the ledger to tell. */
  async arriveAll(elsewhere = 0): Promise<void> {
    const missing = () => this.ledger.report().lost.length > elsewhere
    await this.#until(() => !missing(), `all of ${this.#route} is delivered`).catch(error => {
      if (!missing()) throw error
    })
  }

  /** Waits until all that was acknowledged, but for `elsewhere` messages, has arrived and nothing waits any more. */
  async settle({ elsewhere = 0 } = {}): Promise<void> {
    await this.arriveAll(elsewhere)
    await this.settleWhatCame()
  }

  /** Waits until nothing of the route waits on its way, whether or not all has arrived. */
  async settleWhatCame(): Promise<void> {
    await this.#until(() => this.#nothingWaits(), `nothing of ${this.#route} waits`)
    await this.#look()
  }

  /** The counts in one line. */
  toString(): string {
    const { lost, outOfOrder, ...counted } = this.ledger.report()
    return JSON.stringify({ ...counted, lost: lost.length, outOfOrder: outOfOrder.length })
  }

  async #until(so: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const check = async () => {
      await this.#look()
      return so()
    }
    await eventually(check, { what, interval: 200, timeout: 60_000 })
  }

  async #nothingWaits(): Promise<boolean> {
    const actors = await this.#whole.actors(this.#route)
    return actors.length > 0 && actors.every(({ state, counts }) => state === 'running' && counts?.['pending'] === 0)
  }
}

/** Prints a ledger for whoever reads the test's output. */
export function print(title: string, lines: unknown[]): void {
  process.stdout.write([title, ...lines.map(line => `  ${String(line)}`), ''].join('\n'))
}
