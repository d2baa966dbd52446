/** Transactions on a real broker, as readers of committed records see them. */
import { type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, Producer, Transaction } from '../src/index.ts'
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
