/** Transactions on a real broker, as readers of committed records see them. */
import { eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type Producer, Transaction } from '../src/index.ts'
import { addAll, openProducer, settingsFor } from './rig.ts'

noLeaks()

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka[Symbol.asyncDispose]())

interface Owner extends AsyncDisposable {
  transaction: Transaction
  producer: Producer
}

/** Who writes to a topic in transactions, under the topic's name. */
async function openOwner(topic: string, port = kafka.port): Promise<Owner> {
  const cluster = await Cluster.open(settingsFor(port))
  const transaction = new Transaction({ cluster, id: topic, positionTopic: topic })
  const rig = await openProducer(port, { cluster, topic, transactionalId: transaction })
  return {
    transaction,
    producer: rig.producer,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      cluster.close()
    },
  }
}

const valuesOf = async (topic: string) => (await kafka.readAll(topic)).map(({ value }) => String(value))

const position = (offset: bigint) => ({ offset, metadata: `at ${offset}` })

test('records and position are there together, or not at all', async () => {
  await kafka.createTopic('both', 2)
  await using owner = await openOwner('both')
  const { producer, transaction } = owner
  expect(await transaction.recover()).toEqual({ is: 'done', position: undefined })
  for (const round of [1n, 2n]) {
    addAll(producer, [`a${round}`, `b${round}`], { topic: 'both', partition: Number(round) % 2 })
    expect(await producer.deliver()).toEqual({ is: 'done' })
    expect(await valuesOf('both')).toHaveLength(2 * (Number(round) - 1))
    expect(await transaction.commit(position(round * 2n))).toEqual({ is: 'done' })
  }
  addAll(producer, ['never'], { topic: 'both' })
  expect(await producer.deliver()).toEqual({ is: 'done' })
  expect(await transaction.recover()).toEqual({ is: 'done', position: position(4n) })
  producer.rollBack()
  addAll(producer, ['c'], { topic: 'both' })
  expect(await producer.deliver()).toEqual({ is: 'done' })
  expect(await transaction.commit(position(5n))).toEqual({ is: 'done' })
  expect(await valuesOf('both')).toEqual(['a2', 'b2', 'c', 'a1', 'b1'])
})

test('who is shut out adds nothing more, and what it wrote never counts', async () => {
  await kafka.createTopic('fenced')
  await using old = await openOwner('fenced')
  await old.transaction.recover()
  addAll(old.producer, ['old'], { topic: 'fenced' })
  expect(await old.producer.deliver()).toEqual({ is: 'done' })
  await using next = await openOwner('fenced')
  expect(await next.transaction.recover()).toEqual({ is: 'done', position: undefined })
  await expect(old.transaction.commit(position(1n))).rejects.toMatchObject({ name: 'ProducerFencedError' })
  addAll(old.producer, ['late'], { topic: 'fenced' })
  await expect(old.producer.deliver()).rejects.toMatchObject({ name: 'ProducerFencedError' })
  addAll(next.producer, ['next'], { topic: 'fenced' })
  expect(await next.producer.deliver()).toEqual({ is: 'done' })
  expect(await next.transaction.commit(position(1n))).toEqual({ is: 'done' })
  expect(await valuesOf('fenced')).toEqual(['next'])
})

test('a position without records is committed as well, again and again', async () => {
  await kafka.createTopic('empty')
  await using owner = await openOwner('empty')
  await owner.transaction.recover()
  for (let time = 0; time < 2; time++) {
    expect(await owner.producer.deliver()).toEqual({ is: 'done' })
    expect(await owner.transaction.commit(position(3n))).toEqual({ is: 'done' })
  }
  expect(await owner.transaction.recover()).toEqual({ is: 'done', position: position(3n) })
})

test('a position is found under the topic that it was committed with; under one that is gone there is none', async () => {
  await kafka.createTopic('old-place')
  await kafka.createTopic('new-place')
  {
    await using owner = await openOwner('old-place')
    await owner.transaction.recover()
    expect(await owner.transaction.commit(position(7n))).toEqual({ is: 'done' })
  }
  using cluster = await Cluster.open(settingsFor(kafka.port))
  const transaction = new Transaction({ cluster, id: 'old-place', positionTopic: 'new-place' })
  expect(await transaction.recover()).toEqual({ is: 'done', position: undefined })
  expect(await transaction.positionUnder('old-place')).toEqual({ is: 'done', position: position(7n) })
  await kafka.deleteTopic('old-place')
  const gone = async () => {
    const found = await transaction.positionUnder('old-place')
    return found.is === 'done' && found.position === undefined
  }
  await eventually(gone, { what: 'the position to be gone with its topic', timeout: 30_000 })
})

test('a topic that is not there holds the lane, and one that is made anew has no position', async () => {
  await using owner = await openOwner('made')
  await owner.transaction.recover()
  expect(await owner.transaction.commit(position(0n))).toMatchObject({ is: 'hold', problem: { code: 'topic_missing' } })
  await kafka.createTopic('made')
  await owner.transaction.recover()
  owner.producer.rollBack()
  addAll(owner.producer, ['a'], { topic: 'made' })
  expect(await owner.producer.deliver()).toEqual({ is: 'done' })
  expect(await owner.transaction.commit(position(1n))).toEqual({ is: 'done' })
  await kafka.deleteTopic('made')
  await kafka.createTopic('made')
  expect(await owner.transaction.recover()).toEqual({ is: 'done', position: undefined })
})

test('what holds is aborted at once: others who read that partition go on', async () => {
  await kafka.createTopic('held', 2)
  await using owner = await openOwner('held')
  await owner.transaction.recover()
  addAll(owner.producer, ['open'], { topic: 'held' })
  expect(await owner.producer.deliver()).toEqual({ is: 'done' })
  await using other = await openProducer(kafka.port, { topic: 'held', transactionalId: 'other' })
  addAll(other.producer, ['other'], { topic: 'held' })
  expect(await other.producer.deliver()).toEqual({ is: 'done' })
  expect(await valuesOf('held')).toEqual([])
  await owner.transaction.abort()
  await eventually(async () => (await valuesOf('held')).join() === 'other', { what: 'the other record' })
})
