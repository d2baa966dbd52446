/** Kafka to Kafka: what a copy is, and topics that come later. */
import { Bucket, routesDocument } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownerOf, sigkill } from './faults.ts'
import { arrivedAt } from './observe.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ instances: { 'mqtt-ingress': 0, 'kafka-ingress': 2, 'kafka-egress': 1 } })
})
afterAll(() => whole[Symbol.asyncDispose]())

const route = `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: late }
spec:
  source: { connection: lake, topics: [early, later], start: latest }
  sink: { connection: lake, topic: all }
  delivery: exactlyOnce
`

const values = (name: string, count: number) => Array.from({ length: count }, (_, number) => `${name} ${number}`)
const produce = (topic: string, lines: string[]) =>
  whole.kafka.consoleProducer(
    topic,
    lines.map(value => ({ key: 'k', value, headers: 'h:1' })),
  )

test('a topic that comes after a route that starts at latest arrives whole, though its lister is killed', {
  timeout: 120_000,
}, async () => {
  for (const topic of ['early', 'all']) await whole.kafka.createTopic(topic)
  await produce('early', values('before', 10))
  await whole.apply(route)
  const routes = new Bucket(whole.bus, 'mr_routes', routesDocument)
  const kept = async () => (await routes.read('current'))?.value.routes['late']?.lanes?.includes('early/0')
  await eventually(kept, { what: 'what is there is kept', timeout: 30_000 })
  await whole.untilRunning('late')
  sigkill(await ownerOf(whole, 'lister', 'late'))
  await whole.kafka.createTopic('later')
  await produce('later', values('later', 10))
  await produce('early', values('early', 10))
  const arrived = async () => (await whole.kafka.readAll('all')).map(({ value }) => String(value))
  await eventually(async () => (await arrived()).length >= 20, { what: '20 records', timeout: 60_000 })
  const all = await arrived()
  expect(all.filter(value => value.startsWith('later'))).toEqual(values('later', 10))
  expect(all.filter(value => !value.startsWith('later'))).toEqual(values('early', 10))
})

/** Records whose keys say nothing of their partition, some without key, value or headers. */
async function produceEverywhere(topic: string, partitions: number): Promise<void> {
  const { brokers } = whole.kafka
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer({ maxInFlightRequests: 1 })
  await producer.connect()
  const messages = Array.from({ length: 20 * partitions }, (_, number) => ({
    partition: number % partitions,
    key: number % 4 === 0 ? null : `k${number % 5}`,
    value: number % 7 === 0 ? null : `${number}`,
    timestamp: String(1_700_000_000_000 + number),
    headers: number % 3 === 0 ? {} : { repeated: ['1', '2'], binary: Buffer.of(0, 255, number) },
  }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

test('by lane, or by source.partition, six partitions keep their numbers, keys, headers and timestamps', {
  timeout: 120_000,
}, async () => {
  await whole.kafka.createTopic('six', 6)
  await produceEverywhere('six', 6)
  const copy = (name: string, partition: string) => `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { connection: lake, topics: [six] }
  sink: { connection: lake, topic: ${name}, partition: ${partition}, createTopic: { partitions: 6 } }
`
  await whole.apply(`${copy('by-lane', 'lane')}---${copy('by-number', '"${source.partition}"')}`)
  const { installation } = (await new Bucket(whole.bus, 'mr_routes', routesDocument).read('current'))!.value
  const written = await whole.kafka.readAll('six')
  for (const name of ['by-lane', 'by-number']) {
    const path = { 'millrace.path': Buffer.from(`${installation}.${name}`) }
    await arrivedAt(whole, { topic: name, count: written.length })
    const expected = written.map(record => ({ ...record, headers: { ...record.headers, ...path } }))
    expect(await whole.kafka.readAll(name)).toEqual(expected)
  }
})
