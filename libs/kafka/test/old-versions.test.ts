import { eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BrokerConnection } from '../src/connection.ts'
import { Cluster } from '../src/index.ts'
import { fetchLog } from '../src/requests/fetch.ts'
import { commitOffset, committedOffset, findGroup } from '../src/requests/group-offset.ts'
import { metadata } from '../src/requests/metadata.ts'
import type { Request } from '../src/requests/request.ts'
import { newProducerId } from '../src/requests/transactional-id.ts'
import { addAll, openProducer, settingsFor } from './rig.ts'

noLeaks()

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka()
  await kafka.createTopic('t')
  await using rig = await openProducer(kafka.port)
  addAll(rig.producer, ['a', 'b'])
  await rig.producer.deliver()
})
afterAll(() => kafka[Symbol.asyncDispose]())

/** The answers to a request in each version that is written here, oldest first. */
async function answersOf<Answer>(connection: BrokerConnection, request: Request<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let most = request.api.least; most <= request.api.most; most++) {
    answers.push(await connection.send({ ...request, api: { ...request.api, most } }))
  }
  return answers
}

test('Kafka answers every version of what Event Hubs speaks old versions of', async () => {
  using cluster = await Cluster.open(settingsFor(kafka.port))
  const connection = await cluster.broker(1)
  for (const answer of await answersOf(connection, metadata(['t']))) {
    expect(answer).toMatchObject({ topics: [{ name: 't', error: 0, leaders: [{ node: 1 }] }] })
  }
  const fetched = await answersOf(connection, fetchLog({ topic: 't', partition: 0 }, { offset: 0n, maxBytes: 1_000 }))
  const newest = fetched.at(-1)
  expect(newest?.records.length).toBeGreaterThan(0)
  for (const answer of fetched) expect(answer).toEqual(newest)
  // Kafka makes its own topic for groups.
  const commit = commitOffset('g', { topic: 't', partition: 0 }, { offset: 1n, leaderEpoch: 0 })
  const find = findGroup('g')
  const isCommitted = async () => (await connection.send(find)).error === 0 && (await connection.send(commit)) === 0
  await eventually(isCommitted, { what: 'a commit', timeout: 30_000 })
  for (const answer of await answersOf(connection, committedOffset('g', { topic: 't', partition: 0 }))) {
    expect(answer).toEqual({ error: 0, found: { offset: 1n, metadata: 'millrace' } })
  }
  for (const answer of await answersOf(connection, committedOffset('another', { topic: 't', partition: 0 }))) {
    expect(answer).toEqual({ error: 0, found: undefined })
  }
  for (const answer of await answersOf(connection, newProducerId)) {
    expect(answer).toMatchObject({ error: 0, producerEpoch: 0 })
  }
})
