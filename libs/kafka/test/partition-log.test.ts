import { isDeepStrictEqual } from 'node:util'
import { eventually, type Kafka as KafkaServer, noLeaks, startKafka } from '@millrace/testkit'
import { Kafka, logLevel, type Message } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BatchReader } from '@millrace/record'
import { Cluster, type Isolation, type KafkaError, type LogBatch, obstacleOf, PartitionLog } from '../src/index.ts'
import { logBatches } from '../src/log-batches.ts'
import { settingsFor } from './rig.ts'

noLeaks()

let kafka: KafkaServer
let client: Kafka
beforeAll(async () => {
  kafka = await startKafka()
  client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING })
})
afterAll(() => kafka[Symbol.asyncDispose]())

/** UNKNOWN_MEMBER_ID */
const unknownMember = 25

/** Opens the log of the topic's partition 0. */
async function open(topic: string, isolation: Isolation = 'readCommitted') {
  const cluster = await Cluster.open(settingsFor(kafka.port))
  const log = new PartitionLog(cluster, { topic, partition: 0 }, isolation)
  await log.locate()
  return { log, [Symbol.dispose]: () => cluster.close() }
}

/** All batches from an offset on. */
async function readAll(log: PartitionLog, from = 0n): Promise<LogBatch[]> {
  const batches: LogBatch[] = []
  const end = await log.offsetAt('latest')
  for (let at = from; at < end; at = batches.at(-1)?.next ?? end) {
    batches.push(...logBatches(await log.fetch(at), log.isolation))
  }
  return batches
}

/** The values of what is for readers. */
function valuesOf(batches: readonly LogBatch[]): string[] {
  const reader = new BatchReader({ maxBytes: 2 ** 24 })
  return batches
    .filter(({ count }) => count > 0)
    .flatMap(({ bytes }) => {
      reader.open(bytes)
      const values: string[] = []
      while (reader.next())
        values.push(String(reader.view.valueIn.subarray(reader.view.valueStart, reader.view.valueEnd)))
      return values
    })
}

async function send(topic: string, ...values: (string | Message)[]): Promise<void> {
  const producer = client.producer()
  await producer.connect()
  const messages = values.map(value => (typeof value === 'string' ? { value } : value))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

test('transactions: readers of committed records see those that were committed, and no marker', async () => {
  await kafka.createTopic('transactions')
  const producers = ['one', 'two'].map(transactionalId =>
    client.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 }),
  )
  const [one, two] = producers
  if (one === undefined || two === undefined) throw new Error('no producers')
  await Promise.all(producers.map(producer => producer.connect()))
  const topic = 'transactions'
  for (const [end, value] of [
    ['commit', 'a'],
    ['abort', 'b'],
    ['commit', 'c'],
  ] as const) {
    // The other one's transaction begins before, and ends after: theirs lie between each other.
    const other = await two.transaction()
    await other.send({ topic, messages: [{ value: `other ${value} 1` }] })
    const mine = await one.transaction()
    await mine.send({ topic, messages: [{ value: `${value} 1` }, { value: `${value} 2` }] })
    await other.send({ topic, messages: [{ value: `other ${value} 2` }] })
    await mine[end]()
    await (end === 'commit' ? other.abort() : other.commit())
  }
  await send(topic, 'none')
  const unfinished = await one.transaction()
  await unfinished.send({ topic, messages: [{ value: 'unfinished' }] })
  await send(topic, 'behind')
  {
    using committed = await open(topic)
    using all = await open(topic, 'readUncommitted')
    const seen = ['a 1', 'a 2', 'other b 1', 'other b 2', 'c 1', 'c 2', 'none']
    await comesTo(async () => valuesOf(await readAll(committed.log)), seen)
    // One record of the unfinished one, and the one behind.
    expect(await committed.log.fetch(await committed.log.offsetAt('latest'))).toMatchObject({ heldBack: 2n })
    expect(valuesOf(await readAll(all.log))).toHaveLength(15)
    // From any offset on, the same: what a Fetch says of aborted transactions is enough.
    const batches = await readAll(committed.log)
    for (const { first } of batches) {
      const expected = valuesOf(batches.filter(batch => batch.first >= first))
      expect(valuesOf(await readAll(committed.log, first))).toEqual(expected)
    }
    await unfinished.abort()
    await comesTo(async () => valuesOf(await readAll(committed.log)), [...seen, 'behind'])
  }
  await Promise.all(producers.map(producer => producer.disconnect()))
})

test('offsets: of the beginning, the end, a time; of a time after the last record none', async () => {
  await kafka.createTopic('times')
  await send('times', ...[1_000, 2_000, 3_000].map(time => ({ value: 'v', timestamp: String(time) })))
  using opened = await open('times')
  const { log } = opened
  expect(await log.offsetAt('earliest')).toBe(0n)
  expect(await log.offsetAt('latest')).toBe(3n)
  expect(await log.offsetAt(1_500)).toBe(1n)
  expect(await log.offsetAt(3_001)).toBe(-1n)
  expect(await log.range()).toEqual({ first: 0n, end: 3n })
})

test('an epoch ends where its records do; one that was never is not known', async () => {
  await kafka.createTopic('epochs')
  await send('epochs', 'a', 'b')
  using opened = await open('epochs')
  const [batch] = await readAll(opened.log)
  expect(await opened.log.endOf(batch?.leaderEpoch ?? -1)).toMatchObject({ offset: 2n })
  expect(await opened.log.endOf(1_000)).toMatchObject({ offset: -1n })
})

test('a topic that was made anew is not taken for the one before', async () => {
  await kafka.createTopic('again')
  await send('again', 'a', 'b', 'c')
  using opened = await open('again')
  const { log } = opened
  const { topicId } = log
  await kafka.deleteTopic('again')
  await comesTo(async () => obstacleOf(await failure(log.locate())), 'missing')
  await kafka.createTopic('again')
  await send('again', 'd', 'e', 'f', 'g')
  // It is asked for what it was before, by its id.
  await comesTo(async () => obstacleOf(await failure(log.fetch(3n))), 'moved')
  await log.locate()
  expect(log.topicId).not.toBe(topicId)
  expect(log.clusterId).not.toBe('')
  expect(valuesOf(await readAll(log, 0n))).toEqual(['d', 'e', 'f', 'g'])
})

test('offsets that the log does not have, and topics that the cluster does not', async () => {
  await kafka.createTopic('short')
  using opened = await open('short')
  expect(obstacleOf(await failure(opened.log.fetch(5n)))).toBe('outOfRange')
  const cluster = await Cluster.open(settingsFor(kafka.port))
  for (const name of [
    { topic: 'nowhere', partition: 0 },
    { topic: 'short', partition: 7 },
  ]) {
    const log = new PartitionLog(cluster, name, 'readCommitted')
    expect(obstacleOf(await failure(log.locate()))).toBe('missing')
  }
  cluster.close()
})

test('a group follows without members, and refuses where it has some', async () => {
  await kafka.createTopic('followed')
  await send('followed', 'a', 'b')
  using opened = await open('followed')
  const commit = () => opened.log.commit('watched', { offset: 2n, leaderEpoch: 0 })
  // The first one makes the broker make a topic for the offsets.
  await eventually(() => commit().then(() => true), { what: 'a coordinator', timeout: 30_000 })
  const admin = client.admin()
  await admin.connect()
  const [offsets] = await admin.fetchOffsets({ groupId: 'watched', topics: ['followed'] })
  await admin.disconnect()
  expect(offsets?.partitions).toMatchObject([{ partition: 0, offset: '2' }])
  const consumer = client.consumer({ groupId: 'watched' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'followed' })
  await consumer.run({ eachMessage: async () => {} })
  await comesTo(async () => (await failure(commit())).kafkaCode, unknownMember, 30_000)
  await consumer.disconnect()
})

async function comesTo<T>(read: () => Promise<T>, expected: T, timeout = 10_000): Promise<void> {
  const isSo = async () => isDeepStrictEqual(await read(), expected)
  await eventually(isSo, { what: JSON.stringify(expected), timeout })
}

async function failure(promise: Promise<unknown>): Promise<KafkaError> {
  return promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: KafkaError) => error,
  )
}
