import { startKafka, eventually, type Kafka, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome } from '@millrace/lane'
import { viewOf } from '@millrace/record'
import { Cluster, Producer } from '../src/index.ts'
import { addAll, openProducer, record, settingsFor } from './rig.ts'

noLeaks()

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka({ proxied: true })
})
afterAll(() => kafka[Symbol.asyncDispose]())

const proxied = () => kafka.proxied!.proxy

/** As the engine does it: until all is settled. */
async function settle(producer: Producer): Promise<Outcome> {
  let outcome: Outcome = { is: 'done' }
  await eventually(
    async () => {
      outcome = await producer.deliver()
      return outcome.is === 'done' || outcome.is === 'refused'
    },
    { what: 'the delivery is settled', timeout: 40_000 },
  )
  return outcome
}

/** The values of a topic, or of one of its partitions, in the order of offsets. */
async function valuesOf(topic: string, partition?: number): Promise<string[]> {
  const records = await kafka.readAll(topic)
  return records.filter(one => partition === undefined || one.partition === partition).map(({ value }) => String(value))
}

test.each(['none', 'gzip', 'zstd'] as const)('Kafka’s own consumer reads what is written, %s', async compression => {
  const topic = `console-${compression}`
  await kafka.createTopic(topic, 2)
  await using rig = await openProducer(kafka.port, { topic, compression })
  const headers: [string, Buffer][] = [
    ['a', Buffer.from('1')],
    ['b', Buffer.from('2')],
    ['a', Buffer.from('3')],
  ]
  const view = viewOf({
    timestamp: 1_700_000_000_123,
    key: Buffer.from('ключ'),
    value: Buffer.from('значение'),
    headers,
  })
  rig.producer.add(topic, view, { index: 0 })
  rig.producer.add(topic, record('plain'), { index: 1, partition: 1 })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  const read = await kafka.consoleConsumer(topic, 2)
  expect(read.find(({ key }) => key === 'ключ')).toMatchObject({
    timestamp: '1700000000123',
    headers: 'a:1,b:2,a:3',
    value: 'значение',
  })
  expect(read.find(({ value }) => value === 'plain')).toMatchObject({
    partition: 1,
    key: 'null',
    headers: 'NO_HEADERS',
  })
})

test('keys go to the partitions that Java’s producer chooses', async () => {
  await kafka.createTopic('ours', 7)
  await kafka.createTopic('javas', 7)
  const keys = Array.from({ length: 60 }, (_, index) => `device-${index * 7919}`)
  await using rig = await openProducer(kafka.port, { topic: 'ours' })
  for (const [index, key] of keys.entries()) rig.producer.add('ours', record('x', key), { index })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  await kafka.consoleProducer(
    'javas',
    keys.map(key => ({ key, value: 'x', headers: 'a:b' })),
  )
  const placeOf = async (topic: string) =>
    new Map((await kafka.readAll(topic)).map(({ key, partition }) => [key?.toString(), partition]))
  expect(await placeOf('ours')).toEqual(await placeOf('javas'))
})

test('answers lost again and again: every record is there once, in order', async () => {
  await kafka.createTopic('lost-answers', 3)
  await using rig = await openProducer(proxied().port, { topic: 'lost-answers', maxBatchBytes: 400 })
  const sent: string[][] = [[], [], []]
  for (let delivery = 0; delivery < 30; delivery++) {
    if (delivery % 2 === 1) proxied().dropAnswers()
    for (let index = 0; index < 30; index++) {
      const [partition, value] = [index % 3, `${delivery}.${index}`]
      rig.producer.add('lost-answers', record(value), { index, partition })
      sent[partition]?.push(value)
    }
    expect(await settle(rig.producer)).toEqual({ is: 'done' })
  }
  expect(await Promise.all([0, 1, 2].map(partition => valuesOf('lost-answers', partition)))).toEqual(sent)
})

test('every fifth answer is lost with its connection: every record is there once, in order', async () => {
  await kafka.createTopic('cuts', 1)
  await using rig = await openProducer(proxied().port, { topic: 'cuts', maxBatchBytes: 400 })
  let answers = 0
  proxied().onAnswer(() => (++answers % 5 === 0 ? 'cut' : 'pass'))
  const sent: string[] = []
  try {
    for (let delivery = 0; delivery < 20; delivery++) {
      const values = Array.from({ length: 50 }, (_, index) => `${delivery}.${index}`)
      addAll(rig.producer, values, { topic: 'cuts' })
      sent.push(...values)
      expect(await settle(rig.producer)).toEqual({ is: 'done' })
    }
  } finally {
    proxied().onAnswer(undefined)
  }
  expect(await valuesOf('cuts')).toEqual(sent)
})

test('a half-open connection is given up after the time-out, and nothing is lost or doubled', async () => {
  await kafka.createTopic('half-open', 1)
  await using rig = await openProducer(proxied().port, { topic: 'half-open' })
  addAll(rig.producer, ['a'], { topic: 'half-open' })
  proxied().freeze()
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  proxied().thaw()
  expect(await settle(rig.producer)).toEqual({ is: 'done' })
  expect(await valuesOf('half-open')).toEqual(['a'])
})

test('a second owner shuts the first one out, in every partition that it has written to', async () => {
  await kafka.createTopic('fence', 2)
  const add = (producer: Producer, value: string, partition: number) =>
    producer.add('fence', record(value), { index: 0, partition })
  await using first = await openProducer(kafka.port, { topic: 'fence' })
  add(first.producer, 'first 0', 0)
  add(first.producer, 'first 1', 1)
  expect(await first.producer.deliver()).toEqual({ is: 'done' })

  await using second = await openProducer(kafka.port, { topic: 'fence' })
  add(second.producer, 'second 0', 0)
  expect(await second.producer.deliver()).toEqual({ is: 'done' })
  // What a broker does not refuse: a late batch where the new owner has not written yet. It stands before all of his.
  add(first.producer, 'late 1', 1)
  expect(await first.producer.deliver()).toEqual({ is: 'done' })
  add(second.producer, 'second 1', 1)
  expect(await second.producer.deliver()).toEqual({ is: 'done' })

  add(first.producer, 'late 0', 0)
  await expect(first.producer.deliver()).rejects.toMatchObject({ name: 'ProducerFencedError' })
  add(first.producer, 'later 1', 1)
  await expect(first.producer.deliver()).rejects.toMatchObject({ name: 'ProducerFencedError' })
  expect(await valuesOf('fence')).toEqual(['first 0', 'second 0', 'first 1', 'late 1', 'second 1'])
})

test('a record that is larger than the topic allows is refused; all others are there, in order', async () => {
  await kafka.createTopic('small', 1, { 'max.message.bytes': '20000' })
  await using rig = await openProducer(kafka.port, { topic: 'small' })
  const values = Array.from({ length: 500 }, (_, index) => `${index}`.padEnd(index === 250 ? 30_000 : 200))
  addAll(rig.producer, values, { topic: 'small' })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 250, code: 'too_large' }] })
  expect(await valuesOf('small')).toEqual(values.filter((_, index) => index !== 250))
})

test('a compacted topic refuses records without a key, and takes the others', async () => {
  await kafka.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
  await using rig = await openProducer(kafka.port, { topic: 'compacted' })
  const keys = ['a', null, 'b', null, 'c']
  for (const [index, key] of keys.entries())
    rig.producer.add('compacted', record(`${index}`, key), { index, partition: 0 })
  const outcome = await rig.producer.deliver()
  expect(outcome).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'invalid_record' }, { index: 3 }] })
  expect(outcome.is === 'refused' && outcome.refusals[0]?.message).toMatch(/key/i)
  expect(await valuesOf('compacted')).toEqual(['0', '2', '4'])
})

test('kafkajs: one deleted topic made the metadata of all others fail; here the others go on', async () => {
  await kafka.createTopic('stays', 1)
  await kafka.createTopic('goes', 1)
  await using rig = await openProducer(kafka.port, { topic: undefined, missingTopic: 'refuse' })
  const both = () => ['stays', 'goes'].forEach((topic, index) => rig.producer.add(topic, record('x', 'key'), { index }))
  both()
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  await kafka.deleteTopic('goes')
  both()
  expect(await settle(rig.producer)).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'no_topic' }] })
  expect(await valuesOf('stays')).toEqual(['x', 'x'])
})

test('a topic that is deleted and made again is written to from its beginning', async () => {
  await kafka.createTopic('again', 3)
  await using rig = await openProducer(kafka.port, { topic: 'again' })
  addAll(rig.producer, ['before', 'before'], { topic: 'again' })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  await kafka.deleteTopic('again')
  await eventually(() => kafka.createTopic('again', 3).then(() => true), { what: 'the topic can be made again' })
  addAll(rig.producer, ['after'], { topic: 'again' })
  expect(await settle(rig.producer)).toEqual({ is: 'done' })
  expect(await valuesOf('again')).toEqual(['after'])
})

test('a topic that is made again with fewer partitions takes what waited for those that are gone', async () => {
  await kafka.createTopic('fewer', 5)
  await using rig = await openProducer(kafka.port, { topic: 'fewer' })
  await kafka.deleteTopic('fewer')
  const values = Array.from({ length: 20 }, (_, index) => `${index}`)
  for (const [index, value] of values.entries()) rig.producer.add('fewer', record(value, value), { index })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold' })
  await eventually(() => kafka.createTopic('fewer', 1).then(() => true), { what: 'the topic can be made again' })
  expect(await settle(rig.producer)).toEqual({ is: 'done' })
  expect(await valuesOf('fewer')).toEqual(values)
})

test('a missing topic is made where the route says so, as it says', async () => {
  const create = { partitions: 3, replicas: null, config: { 'max.message.bytes': '12345' } }
  await using rig = await openProducer(kafka.port, { topic: 'made', missingTopic: { create } })
  await using again = await openProducer(kafka.port, { topic: 'made', missingTopic: { create } })
  for (const { producer } of [rig, again]) {
    addAll(producer, ['x'], { topic: 'made', partition: 2 })
    expect(await settle(producer)).toEqual({ is: 'done' })
  }
  addAll(rig.producer, ['too large'.padEnd(13_000)], { topic: 'made', partition: 2 })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'refused', refusals: [{ code: 'too_large' }] })
  expect(await valuesOf('made')).toEqual(['x', 'x'])
})

test('a topic that is there stays as it is, whatever the route says of how to make it now', async () => {
  await kafka.createTopic('there', 2)
  const create = { partitions: 5, replicas: null, config: { 'max.message.bytes': '10' } }
  await using rig = await openProducer(kafka.port, { topic: 'there', missingTopic: { create } })
  addAll(rig.producer, ['x'.repeat(100), 'y'], { topic: 'there', partition: 1 })
  expect(await settle(rig.producer)).toEqual({ is: 'done' })
  addAll(rig.producer, ['z'], { topic: 'there', partition: 4 })
  expect(await settle(rig.producer)).toMatchObject({ is: 'refused', refusals: [{ code: 'no_partition' }] })
  expect(await valuesOf('there', 1)).toEqual(['x'.repeat(100), 'y'])
})

test('a topic that can’t be made holds the lane, with the broker’s reason', async () => {
  const create = { partitions: 1, replicas: 3, config: {} }
  using cluster = await Cluster.open(settingsFor(kafka.port))
  const opening = Producer.open({
    cluster,
    lane: '0',
    transactionalId: 'x',
    acks: 1,
    compression: 'none',
    partitionBy: 'key',
    maxBatchBytes: 1_000,
    missingTopic: { create },
    topic: 'unmakable',
  })
  await expect(opening).rejects.toMatchObject({ code: 'broker_error', message: expect.stringMatching(/replication/i) })
})

test('Kafka is killed under way and comes back: every record is there once, in order', async () => {
  await kafka.createTopic('killed', 2)
  await using rig = await openProducer(kafka.port, { topic: 'killed' })
  const sent: string[][] = [[], []]
  let restarting: Promise<void> | undefined
  for (let delivery = 0; delivery < 20; delivery++) {
    if (delivery === 10) restarting = kafka.kill().then(() => kafka.restart())
    for (let index = 0; index < 20; index++) {
      const [partition, value] = [index % 2, `${delivery}.${index}`]
      rig.producer.add('killed', record(value), { index, partition })
      sent[partition]?.push(value)
    }
    expect(await settle(rig.producer)).toEqual({ is: 'done' })
  }
  await restarting
  expect(await Promise.all([0, 1].map(partition => valuesOf('killed', partition)))).toEqual(sent)
})
