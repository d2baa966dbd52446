/**
 * Any source goes to any sink, and the promise is the same: what was acknowledged to a publisher arrives, in order,
 * whatever was killed meanwhile.
 */
import { Bucket, routesDocument } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killAndRestart, ownerOf, sigkill } from './faults.ts'
import { arrivedAt, deadLetters } from './observe.ts'
import { publish } from './publishers.ts'
import { subscribe } from './subscriber.ts'
import { inTopic, print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  const instances = { 'mqtt-ingress': 1, 'kafka-ingress': 2, 'mqtt-egress': 2, 'kafka-egress': 1 }
  whole = await startWhole({ instances })
})
afterAll(() => whole[Symbol.asyncDispose]())

type Fault = [name: string, act: () => Promise<void>]

const killed = (role: 'source' | 'sink', route: string): Fault => [
  `SIGKILL the ${role} of ${route}`,
  async () => sigkill(await ownerOf(whole, role, route)),
]
const nats: Fault = ['SIGKILL nats-server', () => killAndRestart(whole.nats)]
const kafka: Fault = ['SIGKILL Kafka', () => killAndRestart(whole.kafka)]
const mosquitto: Fault = ['restart mosquitto', () => whole.mosquitto.restart()]
const cut: Fault = ['cut the MQTT connections', async () => whole.mqttProxy.cut()]

/** A route from an MQTT topic of each publisher, or from a Kafka topic, to an MQTT topic of each publisher. */
const toMqtt = (name: string, source: string, publisher: string) => `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { ${source} }
  sink: { connection: plant, topic: '${name}/\${${publisher}}/n' }
`

/** Publishes below `root` while the faults are inflicted in turn, each when more has arrived everywhere. */
async function load(root: string, faults: readonly Fault[], tallies: readonly Tally[]): Promise<void> {
  const over = new AbortController()
  const inflict = async () => {
    for (const [, act] of faults) {
      await act()
      for (const tally of tallies) await tally.arrive(300)
    }
  }
  const ledger = {
    acknowledged: (publisher: string, number: number) => {
      for (const tally of tallies) tally.ledger.acknowledged(publisher, number)
    },
  }
  const publishing = { publishers: 20, each: 500, until: over.signal, qos: 1, rate: 1_000 } as const
  const { url } = whole.mosquitto
  await Promise.all([inflict().finally(() => over.abort()), publish({ url, root, ...publishing, ledger })])
  for (const tally of tallies) await tally.settle()
}

const allOfIt = { enough: true, lost: [], outOfOrder: [] }

function outcomeOf({ ledger }: Tally) {
  const { acknowledged, lost, outOfOrder } = ledger.report()
  return { enough: acknowledged >= 10_000, lost, outOfOrder }
}

test('MQTT to MQTT, while everything on the way is killed in turn', { timeout: 300_000 }, async () => {
  await whole.apply(toMqtt('mirror', "connection: plant, topics: ['first/+/n']", 'source.levels[1]'))
  await using subscriber = await subscribe(whole.mosquitto.url, 'mirror/+/n')
  await whole.untilRunning('mirror')
  const tally = new Tally(whole, 'mirror', subscriber.follow)
  const faults = [killed('source', 'mirror'), killed('sink', 'mirror'), nats, cut, mosquitto]
  await load('first', faults, [tally])
  print('ledger of MQTT to MQTT', [...faults.map(([name]) => name), tally])
  expect(outcomeOf(tally)).toEqual(allOfIt)
})

test('MQTT to Kafka to Kafka to MQTT, while everything on the way is killed in turn', {
  timeout: 300_000,
}, async () => {
  await whole.apply(ledgerRoute('taken'))
  await whole.untilRunning('taken')
  await whole.apply(`
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: copied }
spec:
  source: { connection: lake, topics: [taken] }
  sink: { connection: lake, topic: copied, createTopic: { partitions: 3 } }
---
${toMqtt('given', 'connection: lake, topics: [copied]', 'record.key')}`)
  await using subscriber = await subscribe(whole.mosquitto.url, 'given/+/n')
  const tallies = [
    new Tally(whole, 'copied', inTopic(whole.kafka, 'copied')),
    new Tally(whole, 'given', subscriber.follow),
  ]
  const sources = [killed('source', 'copied'), killed('source', 'given')]
  const faults = [...sources, killed('sink', 'copied'), killed('sink', 'given'), nats, kafka, mosquitto]
  await load('taken', faults, tallies)
  print('ledgers of MQTT to Kafka to Kafka, and on to MQTT', [...faults.map(([name]) => name), ...tallies])
  expect(tallies.map(outcomeOf)).toEqual([allOfIt, allOfIt])
})

/** Waits until a route has so many dead letters. */
async function untilDead(route: string, count: number): Promise<void> {
  const enough = async () => (await deadLetters(whole.bus, route)).length >= count
  await eventually(enough, { what: `${count} dead letters of ${route}`, timeout: 60_000 })
}

test('what comes back in a loop becomes a dead letter, in Kafka and in MQTT', {
  timeout: 180_000,
}, async () => {
  const count = 5
  const turn = (name: string, from: string, more: string) => `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { connection: lake, topics: [${from}] }
  ${more}
`
  await whole.apply(ledgerRoute('feed', { topic: 'loop-a', createTopic: 'config: {}' }))
  await whole.untilRunning('feed')
  const client = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
  for (let number = 0; number < count; number++) await client.publishAsync('feed/p/n', String(number), { qos: 1 })
  await arrivedAt(whole, { topic: 'loop-a', count })
  await whole.apply(turn('ping', 'loop-a', 'sink: { connection: lake, topic: loop-b, createTopic: {} }'))
  const [there] = await arrivedAt(whole, { topic: 'loop-b', count })
  // A loop that is certain is refused; whether a filter lets one be, nobody knows beforehand.
  const back = `filter: record.value != "never"\n  sink: { connection: lake, topic: loop-a }`
  await whole.apply(turn('pong', 'loop-b', back))
  await untilDead('ping', count)

  const ring = "connection: plant, topics: ['ring/#']"
  await whole.apply(toMqtt('ring', ring, 'record.value'))
  await whole.untilRunning('ring')
  for (let number = 0; number < count; number++) await client.publishAsync('ring/n', `/${number}`, { qos: 1 })
  await untilDead('ring', count)
  await client.endAsync()

  const { installation } = (await new Bucket(whole.bus, 'mr_routes', routesDocument).read('current'))!.value
  expect(there?.headers['millrace.path']).toEqual(Buffer.from(`${installation}.ping`))
  for (const route of ['ping', 'ring']) {
    const letters = await deadLetters(whole.bus, route)
    expect(letters.map(({ reason }) => reason)).toEqual(Array(count).fill('loop'))
  }
  expect(await whole.kafka.readAll('loop-a')).toHaveLength(2 * count)
  expect(await whole.kafka.readAll('loop-b')).toHaveLength(count)
})
