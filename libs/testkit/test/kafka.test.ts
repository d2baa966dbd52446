import { Kafka as KafkaClient, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Kafka, noLeaks, startKafka } from '../src/index.ts'

noLeaks()

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka({ proxied: true })
})
afterAll(() => kafka[Symbol.asyncDispose]())

const client = (brokers: string[]) => new KafkaClient({ brokers, logLevel: logLevel.NOTHING })

test('what the console producer writes, readAll and the console consumer read', async () => {
  await kafka.createTopic('console')
  const line = { headers: 'a:1,b:2', key: 'k', value: 'a value' }
  await kafka.consoleProducer('console', [line, { ...line, value: 'another' }], 'zstd')

  const records = await kafka.readAll('console')
  expect(records.map(record => [record.offset, String(record.key), String(record.value)])).toEqual([
    [0n, 'k', 'a value'],
    [1n, 'k', 'another'],
  ])
  expect(records[0]?.headers).toEqual({ a: Buffer.from('1'), b: Buffer.from('2') })
  expect(records[0]?.timestamp).toBeCloseTo(Date.now(), -5)

  const printed = await kafka.consoleConsumer('console', 2)
  expect(printed[1]).toEqual({
    partition: 0,
    offset: 1,
    timestamp: String(records[1]?.timestamp),
    ...line,
    value: 'another',
  })
})

test('readAll gives committed records only, and ends behind the marker of a transaction', async () => {
  await kafka.createTopic('transactions', 2)
  const producer = client(kafka.brokers).producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 't' })
  await producer.connect()
  const send = async (value: string, end: 'commit' | 'abort') => {
    const transaction = await producer.transaction()
    for (const partition of [0, 1]) {
      await transaction.send({ topic: 'transactions', messages: [{ partition, value: `${value}${partition}` }] })
    }
    await transaction[end]()
  }
  await send('kept', 'commit')
  await send('dropped', 'abort')
  await producer.disconnect()
  const records = await kafka.readAll('transactions')
  expect(records.map(record => String(record.value))).toEqual(['kept0', 'kept1'])
})

test('a topic is followed without a repetition', async () => {
  await kafka.createTopic('followed')
  const seen: string[] = []
  const look = kafka.follow('followed', ({ offset, value }) => seen.push(`${offset} ${String(value)}`))
  const line = (value: string) => ({ headers: 'a:1', key: 'k', value })
  await kafka.consoleProducer('followed', [line('a'), line('b')])
  await look()
  await kafka.consoleProducer('followed', [line('c')])
  await look()
  await look()
  expect(seen).toEqual(['0 a', '1 b', '2 c'])
})

test('records outlive a kill, on the same port', async () => {
  await kafka.createTopic('kill')
  await kafka.consoleProducer('kill', [{ headers: 'a:1', key: 'k', value: 'v' }])
  const { pid, port } = kafka
  await kafka.kill()
  expect(kafka.alive).toBe(false)
  await kafka.restart()
  expect(kafka.pid).not.toBe(pid)
  expect(kafka.port).toBe(port)
  expect(await kafka.readAll('kill')).toHaveLength(1)
})

test('a client that comes through the proxy stays behind it', async () => {
  const proxied = kafka.proxied
  if (proxied === undefined) throw new Error('asked for a proxy')
  await kafka.createTopic('proxied')
  const producer = client(proxied.brokers).producer()
  await producer.connect()
  await producer.send({ topic: 'proxied', messages: [{ value: 'v' }] })
  expect(proxied.proxy.connections).toBeGreaterThan(0)
  await producer.disconnect()
  expect(await kafka.readAll('proxied')).toHaveLength(1)
})
