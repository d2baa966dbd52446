import { type Bus, deadLetterStream, type LaneName, positionKey, streamInfo } from '@millrace/bus'
import { eventually, install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noTotals } from '../../bus/test/lanes.ts'
import type { DeliverOptions, Outcome, Sink } from '../src/index.ts'
import { append, committed as committedIn, delivering, open as openFor } from './delivering.ts'
import { busy, done, TestSink } from './sink.ts'

noLeaks()

let installation: Installation
let source: Bus
let bus: Bus

beforeAll(async () => {
  installation = await install()
  source = await installation.connect('mqtt-ingress')
  bus = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

const run = (lane: LaneName, options: Partial<DeliverOptions> = {}, sink = new TestSink()) =>
  delivering({ bus, lane, signal: installation.signal, sink, options })

const open = (lane: LaneName) => openFor(source, lane, installation.signal)

const committed = (lane: LaneName) => committedIn(installation, lane)

async function deadLetters(lane: LaneName): Promise<(string | undefined)[]> {
  const stream = deadLetterStream(lane.route)
  const { jsm } = installation.coordinator
  const messages = (await streamInfo(installation.coordinator, stream))?.state.messages ?? 0
  const letters = Array.from({ length: messages }, (_, index) => jsm.streams.getMessage(stream, { seq: index + 1 }))
  return (await Promise.all(letters)).map(message => message?.header.get('mr-reason'))
}

test('What waits is merged into one delivery, and the position is committed when it is drained', async () => {
  const { lane } = await installation.route('merged')
  const appender = await open(lane)
  for (const value of ['a', 'b', 'c']) await append(appender, value, `${value}2`)
  const { sink, states, counts, drain } = run(lane)
  await eventually(() => sink.values.length === 6, { what: 'all to be delivered' })
  expect(sink.deliveries.length).toBeLessThanOrEqual(2)
  expect(sink.values).toEqual(['a', 'a2', 'b', 'b2', 'c', 'c2'])
  await drain()
  expect(counts).toEqual({ out: 6, dead: 0, filtered: 0, pending: 0 })
  const writer = expect.stringMatching(/./)
  expect(await committed(lane)).toMatchObject({ sequence: 4, writer, epoch: 1, totals: { ...noTotals, out: 6 } })
  expect(states).toEqual(['running'])
  expect(sink.closed).toBe(1)
})

test('A delivery is bounded in records and bytes, but has one batch at least', async () => {
  const { lane } = await installation.route('bounds')
  const appender = await open(lane)
  const answer = Promise.withResolvers<Outcome>()
  const sink = new TestSink()
  sink.answers.push(answer.promise)
  await append(appender, 'first')
  const { drain, counts } = run(lane, { merge: { records: 4, bytes: 400 } }, sink)
  await eventually(() => sink.deliveries.length === 1, { what: 'the first delivery' })
  for (const values of ['abc', 'defgh', 'i', 'jkl', 'mn']) await append(appender, ...values.split(''))
  await append(appender, 'x'.repeat(1_000))
  await append(appender, 'y')
  answer.resolve(done)
  await eventually(() => counts.out === 17, { what: 'all to be delivered' })
  for (const delivery of sink.deliveries) {
    expect(delivery.length <= 4 || delivery.join('') === 'defgh').toBe(true)
    expect(delivery.join('').length < 400 || delivery.length === 1).toBe(true)
  }
  await drain()
})

test('The position is committed while it goes on, and the next owner goes on there', async () => {
  const { lane } = await installation.route('goes-on')
  const appender = await open(lane)
  const first = run(lane)
  await append(appender, 'a')
  await eventually(async () => (await committed(lane))?.totals.out === 1, { what: 'the commit' })
  await append(appender, 'b')
  await eventually(async () => (await committed(lane))?.sequence === 3, { what: 'the second commit' })
  await first.abort()
  await append(appender, 'c')
  const next = run(lane, { epoch: 2 })
  await eventually(() => next.sink.values.length === 1, { what: 'the rest' })
  expect(next.sink.values).toEqual(['c'])
  await next.drain()
  expect(await committed(lane)).toMatchObject({ sequence: 4, epoch: 2, totals: { out: 3 } })
})

test('What is refused, filtered out, unreadable or makes the filter throw adds up, and is kept', async () => {
  const { lane } = await installation.route('adds-up')
  const appender = await open(lane)
  await append(appender, 'a', 'no', 'throw', 'b', 'refuse')
  await appender.append({ payload: Buffer.from('rubbish'), count: 3, position: 'p' })
  await append(appender, 'c')
  const filter: DeliverOptions['filter'] = ({ value }) => {
    if (value === 'throw') throw new Error('Nothing there.')
    return value !== 'no'
  }
  const sink = new TestSink()
  const port: Sink = {
    ...sink.port,
    write: async delivery => {
      await sink.port.write(delivery)
      const index = sink.deliveries.at(-1)?.indexOf('refuse') ?? -1
      return index < 0 ? done : { is: 'refused', refusals: [{ index, code: 'no_topic', message: 'No such topic.' }] }
    },
  }
  const { counts, drain } = run(lane, { filter, sink: port }, sink)
  await eventually(() => sink.values.includes('c'), { what: 'all to be delivered' })
  await drain()
  expect(sink.values).toEqual(['a', 'b', 'refuse', 'c'])
  expect(await deadLetters(lane)).toEqual(['expression', 'no_topic', 'bad_batch'])
  expect(counts).toMatchObject({ out: 3, dead: 5, filtered: 1 })
  expect((await committed(lane))?.totals).toEqual({ out: 3, dead: 5, filtered: 1, parked: 0 })
})

test('What holds is tried again in place, told, and nothing is committed or passed meanwhile', async () => {
  const { lane } = await installation.route('holds')
  const appender = await open(lane)
  const sink = new TestSink()
  sink.answers.push({ is: 'hold', problem: busy }, { is: 'unknown', problem: { ...busy, code: 'timeout' } })
  const running = run(lane, {}, sink)
  await append(appender, 'a')
  await eventually(() => sink.again === 2, { what: 'the third attempt' })
  await append(appender, 'b')
  await eventually(() => sink.values.length === 2, { what: 'the next record' })
  expect(sink.deliveries).toEqual([['a'], ['b']])
  expect(running.states).toEqual(['running', 'holding broker_unreachable', 'holding timeout', 'running'])
  await running.drain()
})

test('Draining a lane that holds leaves what is not delivered to the next owner', async () => {
  const { lane } = await installation.route('drained')
  const appender = await open(lane)
  const sink = new TestSink()
  for (let i = 0; i < 100; i++) sink.answers.push({ is: 'hold', problem: busy })
  const running = run(lane, {}, sink)
  await append(appender, 'a')
  await eventually(() => running.states.length === 2, { what: 'the lane to hold' })
  await running.drain()
  expect(await committed(lane)).toMatchObject({ sequence: 0, totals: noTotals })
  const next = run(lane, { epoch: 2 })
  await eventually(() => next.sink.values.length === 1, { what: 'the record again' })
  await next.drain()
})

test('Aborting in the middle of a delivery commits nothing of it', async () => {
  const { lane } = await installation.route('aborted')
  const appender = await open(lane)
  const answer = Promise.withResolvers<Outcome>()
  const sink = new TestSink()
  sink.answers.push(answer.promise)
  const running = run(lane, {}, sink)
  await append(appender, 'a')
  await eventually(() => sink.deliveries.length === 1, { what: 'the delivery' })
  const ended = running.abort()
  answer.resolve(done)
  await ended
  expect(await committed(lane)).toMatchObject({ sequence: 0 })
  expect(sink.closed).toBe(1)
})

test('An owner that may not write any more delivers nothing', async () => {
  const { lane } = await installation.route('lease')
  await append(await open(lane), 'a')
  let asked = 0
  const { sink, ended } = run(lane, { mayWrite: () => ++asked < 2 })
  await ended
  expect(sink.values).toEqual([])
})

test('A full stream of dead letters holds the lane until there is room', async () => {
  const { lane, uid } = await installation.route('full')
  const appender = await open(lane)
  const streams = { ...(await streamInfo(installation.coordinator, deadLetterStream('full')))?.config }
  const limit = (max_bytes: number) =>
    installation.coordinator.jsm.streams.update(deadLetterStream('full'), { ...streams, max_bytes, metadata: { uid } })
  await limit(1)
  const { sink, states, drain } = run(lane, {
    filter: () => {
      throw new Error('Always.')
    },
  })
  await append(appender, 'a')
  await eventually(() => states.includes('holding stream_full'), { what: 'the lane to hold' })
  expect(await committed(lane)).toMatchObject({ sequence: 0 })
  await limit(2 ** 20)
  await eventually(async () => (await committed(lane))?.totals.dead === 1, { what: 'the dead letter to be counted' })
  expect(states.at(-1)).toBe('running')
  expect(sink.values).toEqual([])
  await drain()
})

test.each([
  ['another owner', async (lane: LaneName) => run(lane, { epoch: 2 }), 'FencedError'],
  [
    'no position',
    async (lane: LaneName) => {
      const key = positionKey({ ...lane, service: 'kafka-egress' })
      const positions = installation.positions()
      await positions.delete(key, (await positions.read(key))?.revision ?? 0)
    },
    'AlarmError',
  ],
])('It ends with an error when there is %s, even while nothing comes', async (what, interfere, name) => {
  const { lane } = await installation.route(`ends-${what.replace(' ', '-')}`)
  const appender = await open(lane)
  const { ended, sink } = run(lane)
  await append(appender, 'a')
  await eventually(async () => (await committed(lane))?.sequence === 2, { what: 'the commit' })
  const other = await interfere(lane)
  await append(appender, 'b')
  await expect(ended).rejects.toMatchObject({ name })
  expect(sink.closed).toBe(1)
  if (other !== undefined) await other.drain()
})

test("A sink's defect ends it, and so does a sink that does not read to the end", async () => {
  const { lane } = await installation.route('defect')
  await append(await open(lane), 'a')
  const sink = new TestSink()
  sink.answers.push(new Error('A defect.'))
  await expect(run(lane, {}, sink).ended).rejects.toThrow('A defect.')
  expect(sink.closed).toBe(1)
  const lazy: Sink = { ...new TestSink().port, write: () => Promise.resolve(done) }
  await expect(run(lane, { sink: lazy }).ended).rejects.toThrow(/did not read/)
})

test('NATS gone: the lane keeps what it knows and goes on when it is back', async () => {
  const { lane } = await installation.route('away')
  const appender = await open(lane)
  await using proxy = await startProxy(installation.nats.port)
  const own = await installation.connect('kafka-egress', proxy.port)
  const { sink, drain } = run(lane, { bus: own })
  for (let i = 0; i < 5; i++) {
    await append(appender, `${i}`)
    await eventually(() => sink.values.length === i + 1, { what: 'the record' })
    proxy.cut()
  }
  expect(sink.values).toEqual(['0', '1', '2', '3', '4'])
  await drain()
  expect(await committed(lane)).toMatchObject({ totals: { out: 5 } })
  await own[Symbol.asyncDispose]()
})
