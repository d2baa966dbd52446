import { eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { numbers, Producing } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let kafka: Kafka
let producing: Producing
let topics = 0
beforeAll(async () => {
  kafka = await startKafka({ properties: { 'log.cleaner.backoff.ms': '100' } })
  producing = new Producing(kafka.brokers)
})
afterAll(() => kafka[Symbol.asyncDispose]())

/** A topic of its own, the options that read it, and its lane. */
async function newTopic(config = {}) {
  const topic = `topic-${++topics}`
  await kafka.createTopic(topic, 1, config)
  const lane = `${topic}/0`
  return { topic, lane, options: (source: object = {}) => ({ lane, source: { topics: [topic], ...source } }) }
}

test('what a partition holds goes into the lane as it is, in order, and so does what comes', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.send(topic, numbers(1, 500))
  const run = rig.run(options())
  await rig.stored(500, lane)
  await run.is('running')
  await producing.send(topic, numbers(501, 1_000))
  await rig.stored(1_000, lane)
  const records = await rig.records(lane)
  expect(records.map(({ value }) => String(value))).toEqual(numbers(1, 1_000))
  expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 1_000 }, (_, index) => BigInt(index)))
  expect(await rig.end(lane)).toMatchObject({
    position: { offset: '1000', leaderEpoch: 0 },
    source: { topic, partition: 0 },
  })
  await run.drain()
  expect(run.counts).toMatchObject({ in: 1_000, refused: 0, skipped: 0, pending: 0 })
})

test('the next owner goes on where the last one was, inside a batch as well: nothing twice, nothing left out', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.send(topic, numbers(1, 100))
  const start = { offsets: { [topic]: { 0: '40' } } }
  const first = rig.run(options({ start }))
  await rig.stored(60, lane)
  await first.abort()
  await producing.send(topic, numbers(101, 200))
  // A route that says something else now is no reason to begin anew.
  rig.run(options({ start: 'earliest' }))
  await rig.stored(160, lane)
  const records = await rig.records(lane)
  expect(records.map(({ value }) => String(value))).toEqual(numbers(41, 200))
  expect(records[0]?.offset).toBe(40n)
})

test.each(['gzip', 'snappy', 'lz4', 'zstd'])('%s goes through as it is', async compression => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  const line = (value: string) => ({ key: 'k', value, headers: 'a:b' })
  await kafka.consoleProducer(topic, [line('a'.repeat(1_000)), line('b')], compression)
  rig.run(options({ start: { offsets: { [topic]: { 0: '1' } } } }))
  await rig.stored(1, lane)
  expect(await rig.values(lane)).toEqual(['b'])
})

test('keys, tombstones, empty values, and headers of every kind', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  const headers = { a: ['1', '2'], '': 'empty name', bytes: Buffer.of(0xff, 0xfe), empty: '' }
  await producing.send(topic, [
    { key: 'k', value: null },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: '1' },
    { value: Buffer.of(0xff, 0), headers },
  ])
  rig.run(options())
  await rig.stored(3, lane)
  const [tombstone, empty, full] = await rig.records(lane)
  expect(tombstone).toMatchObject({ key: Buffer.from('k'), value: null })
  expect(empty).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: 1 })
  expect(full).toMatchObject({ key: null, value: Buffer.of(0xff, 0) })
  expect(full?.headers).toEqual([
    ['a', Buffer.from('1')],
    ['a', Buffer.from('2')],
    ['', Buffer.from('empty name')],
    ['bytes', Buffer.of(0xff, 0xfe)],
    ['empty', Buffer.alloc(0)],
  ])
})

test('a record of 5 MB goes through; one that the route calls too large is a dead letter, and the others keep their offsets', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic({ 'max.message.bytes': '10000000' })
  const large = 'x'.repeat(5 * 2 ** 20)
  await producing.send(topic, ['before', large, 'after'])
  const run = rig.run(options())
  await rig.stored(3, lane)
  expect(await rig.values(lane)).toEqual(['before', large, 'after'])
  await run.drain()
  await producing.send(topic, ['before', large, 'after'])
  const limited = rig.run({ ...options(), route: { maxRecordBytes: '1KiB' } })
  await rig.stored(5, lane)
  expect((await rig.records(lane)).slice(3).map(({ offset, value }) => [offset, String(value)])).toEqual([
    [3n, 'before'],
    [5n, 'after'],
  ])
  expect(limited.counts).toMatchObject({ in: 2, refused: 1 })
})

test('transactions: what was aborted and what marks an end is left out, and the position moves past it', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.transactions(topic, ['commit', 'a', 'b'], ['abort', 'c'], ['commit', 'd'])
  const run = rig.run(options())
  await rig.stored(3, lane)
  // Behind the last record stands its marker.
  await rig.goesOnAt(7, lane)
  // Nothing for readers comes, and the position moves nevertheless.
  await producing.transactions(topic, ['abort', 'e'])
  await rig.goesOnAt(9, lane)
  await run.abort()
  await producing.transactions(topic, ['commit', 'f'])
  rig.run(options())
  await rig.stored(4, lane)
  expect(await rig.values(lane)).toEqual(['a', 'b', 'd', 'f'])
})

test('readUncommitted takes what was aborted as well', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.transactions(topic, ['commit', 'a'], ['abort', 'b'], ['commit', 'c'])
  rig.run(options({ isolation: 'readUncommitted' }))
  await rig.stored(3, lane)
  expect(await rig.values(lane)).toEqual(['a', 'b', 'c'])
})

test('a compacted topic has gaps, and they are none to be told', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic({
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0.001',
    'segment.ms': '100',
    'max.compaction.lag.ms': '100',
  })
  for (let round = 0; round < 5; round++) {
    await producing.send(
      topic,
      numbers(1, 20).map(key => ({ key, value: `${key} ${round}` })),
    )
  }
  // What is compacted is in segments that are closed: this makes the next ones.
  const isNumbered = ({ key }: { key: Buffer | null }) => String(key) !== 'roll'
  const compacted = async () => {
    await producing.send(topic, [{ key: 'roll', value: 'roll' }])
    return (await kafka.readAll(topic)).filter(isNumbered).length === 20
  }
  await eventually(compacted, { what: 'compaction', timeout: 50_000, interval: 500 })
  const there = await kafka.readAll(topic)
  const run = rig.run(options())
  await rig.goesOnAt(Number((there.at(-1)?.offset ?? 0n) + 1n), lane)
  const offsetsOf = (records: { key: Buffer | null; offset: bigint }[]) =>
    records.filter(isNumbered).map(({ offset }) => offset)
  expect(offsetsOf(await rig.records(lane))).toEqual(offsetsOf(there))
  expect(run.counts.skipped).toBe(0)
})

describe('start', () => {
  test.each([
    ['latest', 'latest', ['4000']],
    ['a time', { time: 1_500 }, ['2000', '3000', '4000']],
    ['a time after all that is there', { time: 9_000 }, ['4000']],
  ] as const)('%s', async (_, start, expected) => {
    await using rig = await Rig.start(kafka.brokers[0] ?? '')
    const { topic, lane, options } = await newTopic()
    const at = (time: number) => ({ value: `${time}`, timestamp: `${time}` })
    await producing.send(topic, [at(1_000), at(2_000), at(3_000)])
    await rig.run(options({ start })).is('running')
    await producing.send(topic, [at(4_000)])
    await rig.goesOnAt(4, lane)
    expect(await rig.values(lane)).toEqual(expected)
  })

  test('with Kafka away it holds, and begins when it is there', async () => {
    await using rig = await Rig.start('127.0.0.1:1')
    const run = rig.run()
    await run.is('holding broker_unreachable')
    await run.drain().catch(() => {})
    expect(await rig.end()).toBeUndefined()
  })
})

test('the group follows what is stored', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.send(topic, numbers(1, 10))
  const run = rig.run(options())
  await rig.stored(10, lane)
  await run.is('running')
  await eventually(async () => (await producing.groupOffset('millrace-test-r', topic)) === '10', {
    what: 'a commit',
    timeout: 30_000,
  })
  await producing.send(topic, numbers(11, 20))
  await rig.stored(20, lane)
  // What is stored is committed before it ends.
  await run.drain()
  expect(await producing.groupOffset('millrace-test-r', topic)).toBe('20')
})

describe('start: committed', () => {
  test('goes on where a consumer of the group had got to, and then follows it', async () => {
    await using rig = await Rig.start(kafka.brokers[0] ?? '')
    const { topic, lane, options } = await newTopic()
    await producing.send(topic, numbers(1, 20))
    const group = `of-before-${topic}`
    await producing.commit(group, topic, 12)
    const run = rig.run(options({ start: 'committed', group }))
    await rig.stored(8, lane)
    expect(await rig.values(lane)).toEqual(numbers(13, 20))
    await run.drain()
    expect(await producing.groupOffset(group, topic)).toBe('20')
  })

  test('begins with the first record where the group has committed nothing', async () => {
    await using rig = await Rig.start(kafka.brokers[0] ?? '')
    const { topic, lane, options } = await newTopic()
    await producing.send(topic, numbers(1, 10))
    rig.run(options({ start: 'committed', group: `none-${topic}` }))
    await rig.stored(10, lane)
    expect(await rig.values(lane)).toEqual(numbers(1, 10))
  })
})

test('a route that is deleted reads no more, and its lane is shut', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  await producing.send(topic, numbers(1, 10))
  const run = rig.run(options())
  await rig.stored(10, lane)
  await rig.run({ ...options(), retire: true }).ended
  // Whoever was still reading finds that out with what comes next.
  await producing.send(topic, numbers(11, 20))
  expect(await run.failure()).toMatchObject({ name: 'FencedError' })
  expect(await rig.values(lane)).toEqual(numbers(1, 10))
})

test('a lane that was given up goes on where it was when it comes back', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const { topic, lane, options } = await newTopic()
  // Given up before it had begun, and again after.
  await rig.run({ ...options(), retire: true }).ended
  await producing.send(topic, numbers(1, 10))
  const run = rig.run(options())
  await rig.stored(10, lane)
  await run.drain()
  await rig.run({ ...options(), retire: true }).ended
  await producing.send(topic, numbers(11, 20))
  rig.run(options({ start: 'latest' }))
  await rig.stored(20, lane)
  expect(await rig.values(lane)).toEqual(numbers(1, 20))
})
