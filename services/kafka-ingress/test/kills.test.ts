import { eventually, type Kafka, noLeaks, startKafka, startProxy } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { numbers, Producing } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let kafka: Kafka
let producing: Producing
beforeAll(async () => {
  kafka = await startKafka()
  producing = new Producing(kafka.brokers)
})
afterAll(() => kafka[Symbol.asyncDispose]())

/** Writes numbered values, a batch after the other, until it is told to stop; gives how many there are. */
async function produceUntil(topic: string, stop: AbortSignal): Promise<number> {
  const producer = producing.client.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 20 } })
  await producer.connect()
  let sent = 0
  for (; !stop.aborted; sent += 20) {
    const messages = numbers(sent + 1, sent + 20).map(value => ({ value, partition: 0 }))
    await producer.send({ topic, messages })
  }
  await producer.disconnect()
  return sent
}

/** How many records a lane holds, once NATS tells. */
async function recordsIn(rig: Rig, lane: string): Promise<number> {
  const { end } = await eventually(async () => ({ end: await rig.end(lane) }), { what: 'an answer of NATS' })
  return end?.records ?? 0
}

test('owners that are aborted, fenced and come back, with NATS killed under them: every record once, in order', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('owners')
  const lane = 'owners/0'
  const options = { lane, source: { topics: ['owners'] } }
  const enough = new AbortController()
  const sending = produceUntil('owners', enough.signal)
  for (let round = 0; round < 12; round++) {
    const before = await recordsIn(rig, lane)
    const run = rig.run(options)
    await rig.stored(before + 40, lane)
    if (round % 3 === 0) await run.abort()
    else if (round % 3 === 1) await run.drain()
    else {
      await rig.nats.kill()
      await eventually(() => run.counts.pending > 0, { what: 'records that wait' })
      await rig.nats.restart()
    }
  }
  enough.abort()
  const sent = await sending
  rig.run(options)
  await rig.stored(sent, lane)
  expect(await rig.values(lane)).toEqual(numbers(1, sent))
})

test('NATS stores, and its answers are lost: every record once, in order', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await using proxy = await startProxy(rig.nats.port)
  rig.bus = await rig.installation.connect('kafka-ingress', proxy.port)
  await kafka.createTopic('answers')
  const run = rig.run({ lane: 'answers/0', source: { topics: ['answers'] } })
  await run.is('running')
  for (let round = 0; round < 10; round++) {
    proxy.dropAnswers()
    await producing.send('answers', numbers(round * 20 + 1, round * 20 + 20))
    await rig.stored(round * 20 + 20, 'answers/0')
  }
  expect(await rig.values('answers/0')).toEqual(numbers(1, 200))
})

test('Kafka killed while it is read: the source goes on where it was, by itself', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('killed')
  const run = rig.run({ lane: 'killed/0', source: { topics: ['killed'] } })
  for (let round = 0; round < 2; round++) {
    await producing.send('killed', numbers(round * 100 + 1, round * 100 + 100))
    await rig.stored(round * 100 + 100, 'killed/0')
    await kafka.kill()
    await eventually(() => run.told.at(-1)?.startsWith('holding'), { what: 'it holds', timeout: 30_000 })
    await kafka.restart()
    await run.is('running')
  }
  await producing.send('killed', numbers(201, 300))
  await rig.stored(300, 'killed/0')
  expect(await rig.values('killed/0')).toEqual(numbers(1, 300))
})

test('answers of Kafka that are lost, late and cut: every record once, in order', async () => {
  await using server = await startKafka({ proxied: true })
  const { proxy, brokers } = server.proxied ?? {}
  if (proxy === undefined || brokers === undefined) throw new Error('no proxy')
  await using rig = await Rig.start(brokers[0] ?? '')
  await server.createTopic('cut')
  const direct = new Producing(server.brokers)
  rig.run({ lane: 'cut/0', source: { topics: ['cut'] } })
  for (let round = 0; round < 4; round++) {
    await direct.send('cut', numbers(round * 50 + 1, round * 50 + 50))
    proxy.cut()
    await rig.stored(round * 50 + 1, 'cut/0')
  }
  await rig.stored(200, 'cut/0')
  expect(await rig.values('cut/0')).toEqual(numbers(1, 200))
})
