/** What `delivery: exactlyOnce` promises to readers of committed records, whoever is killed or stopped, and when. */
import { delay } from '@millrace/actor'
import { positionKey, recordsBehind } from '@millrace/bus'
import {
  eventually,
  install,
  type Installation,
  type Kafka,
  type LaneSource,
  Ledger,
  noLeaks,
  startKafka,
} from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Owner, type Stage } from './owners.ts'
import { openSource } from './service-rig.ts'

noLeaks()

let kafka: Kafka
let installation: Installation
beforeAll(async () => {
  kafka = await startKafka({ properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100' } })
  installation = await install()
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

const publishers = 4
const partitions = 3

/** A lane that is written to until it is told to stop, and what was written. */
class Load {
  readonly ledger = new Ledger()
  /** Of each publisher. */
  count = 0
  readonly stage: Stage
  readonly #over = new AbortController()
  #writing = Promise.resolve()

  constructor(stage: Stage) {
    this.stage = stage
  }

  static async begin(route: string, more: Partial<Stage> = {}): Promise<Load> {
    const load = new Load({ installation, kafka, route, ...more })
    await kafka.createTopic(route, partitions)
    await installation.route(route)
    load.#writing = load.#write(await openSource(installation, route))
    return load
  }

  /** Lets the owner deliver what is left, then says what the ledger has against it. */
  async finish(owner: Owner) {
    this.#over.abort()
    await this.#writing
    const { route } = this.stage
    const key = positionKey({ service: 'kafka-egress', route, lane: '0' })
    const behind = async () => {
      const position = await installation.positions().read(key)
      return position === undefined ? 0 : recordsBehind(position.value.totals)
    }
    const total = this.count * publishers
    await eventually(async () => (await behind()) === total, { what: `${total} records behind`, timeout: 120_000 })
    const ended = await owner.drain()
    for (const { partition, offset, value } of await kafka.readAll(route)) {
      const [publisher = '', number = ''] = String(value).split(':')
      this.ledger.delivered(publisher, Number(number), `${partition}/${offset}`)
    }
    return { ended, ...this.ledger.report() }
  }

  async #write(source: LaneSource): Promise<void> {
    while (!this.#over.signal.aborted) {
      const values = Array.from({ length: 10 * publishers }, (_, index) => {
        return `p${index % publishers}:${this.count + Math.floor(index / publishers)}`
      })
      await source.append(values)
      for (const value of values) {
        const [publisher = '', number = ''] = value.split(':')
        this.ledger.acknowledged(publisher, Number(number))
      }
      this.count += 10
      await delay(20, this.#over.signal)
    }
  }
}

const exact = { ended: 'drained', lost: [], outOfOrder: [], duplicates: 0, unacknowledgedButDelivered: 0 }

/** Somewhere in the first transactions. */
const somewhere = () => 1 + Math.floor(Math.random() * 14)

test('killed 100 times, in every phase of a transaction, and NATS and Kafka as well: nothing twice, nothing lost', {
  timeout: 600_000,
}, async () => {
  const load = await Load.begin('kills')
  const kills = 100
  let next = new Owner(load.stage, 1)
  for (let kill = 0; kill < kills; kill++) {
    await using owner = next
    next = new Owner(load.stage, kill + 2)
    owner.go()
    await owner.phases(somewhere())
    const server = kill % 20 === 5 ? installation.nats : kill % 40 === 15 ? kafka : undefined
    if (server === undefined) continue
    await server.kill()
    await server.restart()
    await owner.phases(somewhere())
  }
  await using last = next
  last.go()
  const report = await load.finish(last)
  expect(report).toMatchObject({ ...exact, acknowledged: load.count * publishers })
})

test('an owner that was stopped in the middle of a transaction, while another went on, adds nothing', {
  timeout: 300_000,
}, async () => {
  const load = await Load.begin('stops')
  let owner = new Owner(load.stage, 1)
  owner.go()
  for (let stop = 0; stop < 10; stop++) {
    await using old = owner
    const next = new Owner(load.stage, stop + 2)
    await old.phases(somewhere())
    old.signal('SIGSTOP')
    next.go()
    await next.phases(6)
    old.signal('SIGCONT')
    expect(await old.ended()).toBe('FencedError')
    owner = next
  }
  await using last = owner
  expect(await load.finish(last)).toMatchObject({ ...exact, acknowledged: load.count * publishers })
})

test('an owner that stands still in a transaction until the broker aborts it: it is delivered once more, and counts once', {
  timeout: 120_000,
}, async () => {
  const load = await Load.begin('stands-still', { timeout: 500 })
  await using owner = new Owner(load.stage, 1)
  owner.go()
  await owner.stopped()
  const used = await kafka.used('stands-still')
  const aborted = async () => (await kafka.used('stands-still')) > used
  await eventually(aborted, { what: 'the broker to end the transaction', timeout: 60_000 })
  owner.signal('SIGCONT')
  expect(await load.finish(owner)).toMatchObject({ ...exact, acknowledged: load.count * publishers })
  expect(owner.said).toEqual(['again after ProducerFencedError', 'drained'])
})
