/** A cluster of two nodes: whoever leads a partition dies, and leads it again. */
import { eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Producer } from '@millrace/kafka'
import { addAll, openProducer } from '../../../libs/kafka/test/rig.ts'
import { numbers, Producing } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

/** Nothing is lost with one of the nodes, and who led a partition first leads it again soon after it is back. */
const properties = {
  'transaction.state.log.replication.factor': '2',
  'offsets.topic.replication.factor': '2',
  'leader.imbalance.check.interval.seconds': '1',
}
const nodes: Kafka[] = []
beforeAll(async () => {
  const first = await startKafka({ properties })
  nodes.push(first, await startKafka({ properties, beside: first }))
})
afterAll(async () => {
  for (const node of nodes.toReversed()) await node[Symbol.asyncDispose]()
})

/** As the engine does it, until the delivery is done. */
async function deliver(producer: Producer, values: string[]): Promise<void> {
  addAll(producer, values, { topic: 'moving' })
  const isDone = async () => (await producer.deliver()).is === 'done'
  await eventually(isDone, { what: 'the delivery is done', timeout: 60_000 })
}

test('a leader that dies, and comes back: both ends follow it, and each record is there once, in order', {
  timeout: 180_000,
}, async () => {
  const [first, second] = nodes as [Kafka, Kafka]
  const producing = new Producing(first.brokers)
  await producing.createTopic({ topic: 'moving', replicaAssignment: [{ partition: 0, replicas: [2, 1] }] })
  const led = async (node: number) => (await producing.leaderOf('moving')) === node
  await eventually(() => led(2), { what: 'node 2 leads', timeout: 60_000 })

  await using rig = await Rig.start(first.brokers.join())
  await using sink = await openProducer(first.port, { topic: 'moving' })
  rig.run({ lane: 'moving/0', source: { topics: ['moving'] } })
  const epochOf = async () => (await rig.end('moving/0'))?.position.leaderEpoch ?? -1

  await deliver(sink.producer, numbers(1, 10))
  await rig.stored(10, 'moving/0')
  const before = await epochOf()

  await Promise.all([deliver(sink.producer, numbers(11, 20)), second.kill()])
  await eventually(() => led(1), { what: 'node 1 leads', timeout: 60_000 })
  await deliver(sink.producer, numbers(21, 30))
  await rig.stored(30, 'moving/0')
  const between = await epochOf()

  await second.restart()
  await eventually(() => led(2), { what: 'node 2 leads again', timeout: 60_000 })
  await deliver(sink.producer, numbers(31, 40))
  await rig.stored(40, 'moving/0')

  expect(await rig.values('moving/0')).toEqual(numbers(1, 40))
  expect(await first.used('moving')).toBe(40)
  expect([between > before, (await epochOf()) > between]).toEqual([true, true])
})
