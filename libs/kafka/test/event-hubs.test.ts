/** What a cluster can do less than Kafka, by its answers: Event Hubs and its like. */
import { noLeaks } from '@millrace/testkit'
import { readHeader } from '@millrace/record'
import { expect, test } from 'vitest'
import { Cluster, PartitionLog, Producer, Transaction } from '../src/index.ts'
import { logBatches } from '../src/log-batches.ts'
import { apis } from '../src/requests/request.ts'
import { FakeBroker } from './fake-broker.ts'
import { addAll, openProducer, record, settingsFor } from './rig.ts'

noLeaks()

/** What a name space of the standard tier says that it speaks. */
const standardTier: readonly [key: number, least: number, most: number][] = [
  [apis.produce.key, 3, 7],
  [apis.fetch.key, 4, 6],
  [apis.listOffsets.key, 0, 7],
  [apis.metadata.key, 0, 5],
  [apis.findCoordinator.key, 0, 4],
  [apis.initProducerId.key, 0, 1],
  [apis.offsetForLeaderEpoch.key, 0, 0],
]

async function startHub(topics: { [name: string]: number }): Promise<FakeBroker> {
  const hub = await FakeBroker.start(topics)
  const { key, least, most } = apis.apiVersions
  hub.versions.clear()
  hub.versions.set(key, [least, most])
  for (const [key, least, most] of standardTier) hub.versions.set(key, [least, most])
  // Asked for the coordinator of a transactional id, it closes the connection.
  hub.answers.set('FindCoordinator', () => 'cut')
  hub.largestRequest = 1_046_528
  return hub
}

test('without transactional ids, batches are numbered all the same, and it is told that nothing fences', async () => {
  await using hub = await startHub({ t: 1 })
  await using rig = await openProducer(hub.port)
  expect(rig.producer.lowers).toMatchObject([{ code: 'no_fence' }])
  addAll(rig.producer, ['a', 'b'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  hub.script = () => 'append'
  addAll(rig.producer, ['c'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  hub.script = () => undefined
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(hub.values('t')).toEqual(['a', 'b', 'c'])
})

test.each([35, 42])('a broker that refuses transactional ids with error %i is one without them', async error => {
  await using broker = await FakeBroker.start({ t: 1 })
  broker.versions.set(apis.initProducerId.key, [0, 1])
  broker.answers.set('FindCoordinator', (_, to) => {
    to.int32(0).int16(error).string('type code 1 is not supported').int32(-1).string('').int32(-1)
  })
  await using rig = await openProducer(broker.port)
  expect(rig.producer.lowers).toMatchObject([{ code: 'no_fence' }])
})

test('without producer ids, records are delivered unnumbered, and it is told that some may be there twice', async () => {
  await using hub = await startHub({ t: 1 })
  hub.versions.delete(apis.initProducerId.key)
  await using rig = await openProducer(hub.port)
  expect(rig.producer.lowers).toMatchObject([{ code: 'no_idempotence' }])
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(readHeader(hub.received[0]!).producerId).toBe(-1n)
})

test('a cluster that has them all has nothing to tell', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  expect([rig.producer.notice, rig.producer.lowers]).toEqual([undefined, []])
})

test('transactions where there are none: told at the start', async () => {
  await using hub = await startHub({ t: 1 })
  using cluster = await Cluster.open(settingsFor(hub.port))
  const recovered = await new Transaction({ cluster, id: 'millrace.x', positionTopic: 't' }).recover()
  expect(recovered).toMatchObject({ is: 'hold', problem: { code: 'no_transactions' } })
})

test('what is larger than a request may be goes out in several', async () => {
  await using hub = await startHub({ t: 8 })
  const value = 'x'.repeat(400_000)
  await using tooLarge = await openProducer(hub.port, {}, { largestRequest: 100_000_000 })
  const add = (producer: Producer) => {
    for (let index = 0; index < 8; index++) producer.add('t', record(value), { index, partition: index })
  }
  add(tooLarge.producer)
  expect((await tooLarge.producer.deliver()).is).toBe('unknown')
  await using rig = await openProducer(hub.port, {}, { largestRequest: 1_046_528 })
  add(rig.producer)
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  for (let partition = 0; partition < 8; partition++) expect(hub.values('t', partition)).toEqual([value])
})

test('a record that no request can hold is refused, and nothing else with it', async () => {
  await using hub = await startHub({ t: 2 })
  await using rig = await openProducer(hub.port, {}, { largestRequest: 1_046_528 })
  const large = 'x'.repeat(1_046_528)
  for (const [index, value] of ['a', large, 'b'].entries()) {
    rig.producer.add('t', record(value), { index, partition: index === 2 ? 1 : 0 })
  }
  expect(await rig.producer.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'too_large' }] })
  expect([hub.values('t', 0), hub.values('t', 1)]).toEqual([['a'], ['b']])
})

test.each([43, 76])(
  'a compression that is refused (error %i): told, and the same records go uncompressed',
  async error => {
    await using hub = await startHub({ t: 2 })
    hub.script = () => (readHeader(hub.received.at(-1)!).compression === 'none' ? undefined : { error })
    await using rig = await openProducer(hub.port, { compression: 'gzip' })
    addAll(rig.producer, ['a', 'b'], { partition: 0 })
    addAll(rig.producer, ['c'], { partition: 1 })
    expect(await rig.producer.deliver()).toMatchObject({ is: 'hold' })
    expect(await rig.producer.deliver()).toEqual({ is: 'done' })
    expect(rig.producer.notice).toMatchObject({ code: 'compression_refused' })
    expect(rig.producer.lowers, 'which hides nothing else').toMatchObject([{ code: 'no_fence' }])
    addAll(rig.producer, ['d'], { partition: 0 })
    expect(await rig.producer.deliver(), 'without another attempt').toEqual({ is: 'done' })
    expect([hub.values('t', 0), hub.values('t', 1)]).toEqual([['a', 'b', 'd'], ['c']])
  },
)

test.each([
  ['snappy', true],
  ['none', false],
] as const)('where only gzip is taken %s is not tried', async (compression, isTold) => {
  await using hub = await startHub({ t: 1 })
  await using rig = await openProducer(hub.port, { compression }, { gzipOnly: true })
  expect(rig.producer.notice?.code).toBe(isTold ? 'compression_refused' : undefined)
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(hub.received.map(batch => readHeader(batch).compression)).toEqual(['none'])
})

test('an error that would be one of compression holds, where there is none', async () => {
  await using hub = await startHub({ t: 1 })
  hub.script = () => ({ error: 43 })
  await using rig = await openProducer(hub.port)
  addAll(rig.producer, ['a'])
  for (let attempt = 0; attempt < 3; attempt++) expect(await rig.producer.deliver()).toMatchObject({ is: 'hold' })
})

test('a log is read with the versions of a hub, without leader epochs', async () => {
  await using hub = await startHub({ t: 1 })
  await using rig = await openProducer(hub.port)
  addAll(rig.producer, ['a', 'b'])
  await rig.producer.deliver()
  const log = new PartitionLog(rig.cluster, { topic: 't', partition: 0 }, 'readCommitted')
  await log.locate()
  expect(await log.range()).toEqual({ first: 0n, end: 2n })
  const [batch] = logBatches(await log.fetch(0n), 'readCommitted')
  expect(batch).toMatchObject({ first: 0n, next: 2n, count: 2 })
  expect(await log.endOf(0)).toBeUndefined()
})

test('a connection that was idle for too long is not used again', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  using quick = await Cluster.open(settingsFor(broker.port, { longestIdle: 0 }))
  const first = await quick.broker(1)
  expect(await quick.broker(1)).not.toBe(first)
  expect(first.open).toBe(false)
  using patient = await Cluster.open(settingsFor(broker.port))
  expect(await patient.broker(1)).toBe(await patient.broker(1))
})
