/** Against a real Kafka: what is written here others read, and what others write is read here. */
import { type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { CompressionTypes, Kafka as KafkaJs, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { batchesIn, readHeader, type Record, stampBatch } from '../src/index.ts'
import { plain, read, write } from './batches.ts'
import { fetch, type Place, produce } from './wire.ts'

const time = Date.now() - 10_000
let kafka: Kafka

noLeaks()

beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka[Symbol.asyncDispose]())

async function newTopic(topic: string): Promise<Place> {
  await kafka.createTopic(topic)
  return { port: kafka.port, topic }
}

/** All records of a topic, as this library reads them. */
async function fetched(place: Place): Promise<Record[]> {
  const all: Record[] = []
  let next = 0n
  for (;;) {
    const set = await fetch(place, next)
    for (const batch of batchesIn(set)) {
      const { baseOffset, lastOffsetDelta } = readHeader(batch)
      all.push(...read(batch))
      next = baseOffset + BigInt(lastOffsetDelta) + 1n
    }
    if (set.length === 0) return all
  }
}

/** Key and value in all their forms; names that repeat; times that go back. */
const records: Record[] = [
  {
    timestamp: time,
    key: Buffer.from('ключ'),
    value: Buffer.from('first'),
    headers: [['mqtt.topic', Buffer.from('a/ü')]],
  },
  { timestamp: time - 5000, key: null, value: Buffer.from('older'), headers: [] },
  {
    timestamp: time + 4000,
    key: Buffer.of(),
    value: null,
    headers: [
      ['a', Buffer.from('1')],
      ['b', Buffer.of()],
      ['a', Buffer.from('2')],
    ],
  },
  ...Array.from({ length: 1000 }, (_, i) => ({
    timestamp: time + i,
    key: Buffer.from(`k${i % 7}`),
    value: Buffer.from(`value ${i} `.repeat(10).trim()),
    headers: [['n', Buffer.from(String(i))]] as Record['headers'],
  })),
]

/** Which kafkajs' producer cannot write. */
const nullHeader: Record = { ...plain('with a null header'), headers: [['none', null]] }

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  "what is written with %s, Kafka's consumer and kafkajs read",
  async compression => {
    const place = await newTopic(`ours-${compression}`)
    const all = [...records, nullHeader]
    expect(await produce(place, write(all, { compression }))).toEqual({ error: 0, baseOffset: 0n })

    const printed = await kafka.consoleConsumer(place.topic, all.length)
    expect(printed.map(({ timestamp, key, value, headers }) => ({ timestamp, key, value, headers }))).toEqual(
      all.map(({ timestamp, key, value, headers }) => ({
        timestamp: String(timestamp),
        key: key?.toString() ?? 'null',
        value: value?.toString() ?? 'null',
        headers: headers.map(([name, bytes]) => `${name}:${bytes?.toString() ?? 'null'}`).join() || 'NO_HEADERS',
      })),
    )
    const decoded = await kafka.readAll(place.topic)
    expect(decoded.map(({ key, value, timestamp }) => ({ key, value, timestamp }))).toEqual(
      all.map(({ key, value, timestamp }) => ({ key, value, timestamp })),
    )
    expect(await fetched(place)).toEqual(all)
  },
)

test('any time comes back as it was: none, the year 9999, nanoseconds by mistake, the last of 64 bits', async () => {
  const most = String(2n ** 63n - 1n)
  await kafka.createTopic('times', 1, {
    'message.timestamp.before.max.ms': most,
    'message.timestamp.after.max.ms': most,
  })
  const place = { port: kafka.port, topic: 'times' }
  const times = [-1, 253_402_300_799_999, 1_700_000_000_000_000_001n, 0, 2n ** 63n - 1n]
  const all = times.map(timestamp => ({ ...plain('x'), timestamp }))
  expect(await produce(place, write(all))).toEqual({ error: 0, baseOffset: 0n })
  expect(await fetched(place)).toEqual(all)
  const printed = await kafka.consoleConsumer('times', all.length)
  expect(printed.map(({ timestamp }) => timestamp)).toEqual(times.map(String))
})

test.each([
  ['none', CompressionTypes.None],
  ['gzip', CompressionTypes.GZIP],
])('what kafkajs writes with %s is read', async (name, compression) => {
  const place = await newTopic(`kafkajs-${name}`)
  const producer = new KafkaJs({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const messages = records.map(({ timestamp, key, value, headers }) => ({
    timestamp: String(timestamp),
    key,
    value,
    headers: Object.fromEntries(byName(headers).map(([name]) => [name, valuesOf(headers, name)])),
  }))
  await producer.send({ topic: place.topic, compression, messages })
  await producer.disconnect()

  expect(await fetched(place)).toEqual(records.map(record => ({ ...record, headers: byName(record.headers) })))
})

/** kafkajs takes headers as an object, so those of one name come one after another. */
function byName(headers: Record['headers']): Record['headers'] {
  return [...headers].sort(([a], [b]) => a.localeCompare(b))
}

function valuesOf(headers: Record['headers'], name: string): Buffer[] {
  return headers.filter(([other]) => other === name).map(([, value]) => value ?? Buffer.of())
}

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  "what Kafka's producer writes with %s is read",
  async compression => {
    const place = await newTopic(`java-${compression}`)
    const lines = Array.from({ length: 1000 }, (_, i) => ({
      key: `k${i}`,
      value: `wert ${i} ü`,
      headers: `a:${i},b:,a:x`,
    }))
    await kafka.consoleProducer(place.topic, lines, compression)
    const all = await fetched(place)
    const expected = lines.map(({ key, value }, i) => ({
      timestamp: expect.any(Number),
      key: Buffer.from(key),
      value: Buffer.from(value),
      headers: [
        ['a', Buffer.from(String(i))],
        ['b', Buffer.of()],
        ['a', Buffer.from('x')],
      ],
    }))
    expect(all).toEqual(expected)
    expect(all.every(({ timestamp }) => Math.abs(Number(timestamp) - Date.now()) < 60_000)).toBe(true)
  },
)

test('a broker counts the sequence of a stamped batch: a repeated one has its old offset, a gap is refused', async () => {
  const outOfOrderSequence = 45
  const place = await newTopic('stamped')
  const stamp = { producerId: 7_000_000_007n, producerEpoch: 3, baseSequence: 0, transactional: false }
  const first = write([plain('a'), plain('b')], { stamp })
  expect(await produce(place, first)).toEqual({ error: 0, baseOffset: 0n })
  expect(await produce(place, first)).toEqual({ error: 0, baseOffset: 0n })

  const second = write([plain('c')], { compression: 'zstd' })
  stampBatch(second, { ...stamp, baseSequence: 3 })
  expect(await produce(place, second)).toMatchObject({ error: outOfOrderSequence })
  stampBatch(second, { ...stamp, baseSequence: 2 })
  expect(await produce(place, second)).toEqual({ error: 0, baseOffset: 2n })

  expect(await fetched(place)).toEqual([plain('a'), plain('b'), plain('c')])
  const headers = [...batchesIn(await fetch(place))].map(batch => readHeader(batch))
  expect(headers).toMatchObject([
    { ...stamp, baseOffset: 0n },
    { ...stamp, baseOffset: 2n, baseSequence: 2 },
  ])
})

test('a record set that the broker cuts gives its whole batches', async () => {
  const place = await newTopic('cut')
  for (const letter of 'abc') await produce(place, write([plain(letter.repeat(1000))]))
  const cut = await fetch(place, 0n, 1500)
  expect(cut).toHaveLength(1500)
  expect([...batchesIn(cut)].flatMap(batch => read(batch))).toEqual([plain('a'.repeat(1000))])
  expect(await fetched(place)).toHaveLength(3)
})
