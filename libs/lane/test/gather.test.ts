import { Budget, type Bus, type LaneBatch, type LaneName } from '@millrace/bus'
import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gather, type Linger, timeLeft } from '../src/gather.ts'
import type { DeliverOptions } from '../src/index.ts'
import { append, committed, delivering, open as openFor } from './delivering.ts'
import { TestSink } from './sink.ts'

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

const run = (lane: LaneName, linger: Linger, more: Partial<DeliverOptions> = {}) =>
  delivering({ bus, lane, signal: installation.signal, sink: new TestSink(), options: { linger, ...more } })

const open = (lane: LaneName) => openFor(source, lane, installation.signal)

const linger = { ms: 20, records: 100, bytes: 1_000 }

test.each([
  ['just come', { records: 1, bytes: 10, since: 1_000, isFull: false }, 20],
  ['come a while ago', { records: 99, bytes: 999, since: 985, isFull: false }, 5],
  ['come long ago', { records: 1, bytes: 10, since: 500, isFull: false }, 0],
  ['enough records', { records: 100, bytes: 10, since: 1_000, isFull: false }, 0],
  ['enough bytes', { records: 1, bytes: 1_000, since: 1_000, isFull: false }, 0],
  ['no room for more', { records: 1, bytes: 10, since: 1_000, isFull: true }, 0],
])('what has %s is let gather no longer than it may', (_, waits, left) => {
  expect(timeLeft(linger, waits, 1_000)).toBe(left)
})

test('without a linger nothing ever waits', () => {
  expect(timeLeft({ ...linger, ms: 0 }, { records: 1, bytes: 10, since: 1_000, isFull: false }, 1_000)).toBe(0)
})

const batchOf = ([count, length]: [number, number]): LaneBatch => ({
  sequence: 1,
  payload: Buffer.alloc(length),
  count,
  base: 0,
  epoch: 1,
  writer: 'w',
  position: '',
})

test('what is taken is the lane’s own order, within the most, and as much of it as fits', () => {
  const sizes = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 90 })), { minLength: 1 })
  fc.assert(
    fc.property(sizes, fc.nat({ max: 20 }), fc.nat({ max: 200 }), (given, records, bytes) => {
      const queue = given.map(batchOf)
      const reader = {
        get next() {
          return queue[0]
        },
        take: () => queue.shift(),
      }
      const all = [...queue]
      const taken = gather(reader, { records, bytes })
      expect([...taken, ...queue]).toEqual(all)
      const sum = (batches: LaneBatch[]) => ({
        records: batches.reduce((total, { count }) => total + count, 0),
        bytes: batches.reduce((total, { payload }) => total + payload.length, 0),
      })
      const fits = (batches: LaneBatch[]) => sum(batches).records <= records && sum(batches).bytes <= bytes
      expect(taken.length === 1 || fits(taken)).toBe(true)
      expect(queue.length === 0 || !fits(all.slice(0, taken.length + 1))).toBe(true)
    }),
  )
})

const hour = 3_600_000

test('What waits is let gather until there are enough records, or bytes', async () => {
  const { lane } = await installation.route('gathers')
  const appender = await open(lane)
  const { sink, counts, drain } = run(lane, { ms: hour, records: 4, bytes: 2_000 })
  for (const value of ['a', 'b', 'c']) await append(appender, value)
  await eventually(() => counts.pending === 3, { what: 'the first three to wait' })
  expect(sink.deliveries).toEqual([])
  await append(appender, 'd')
  await eventually(() => counts.out === 4, { what: 'four records' })
  await append(appender, 'x'.repeat(2_000))
  await eventually(() => counts.out === 5, { what: 'enough bytes' })
  expect(sink.deliveries.map(({ length }) => length)).toEqual([4, 1])
  await drain()
})

test('What waits goes out when its time is over, though it is not enough', async () => {
  const { lane } = await installation.route('time-over')
  const appender = await open(lane)
  const { sink, drain } = run(lane, { ms: 100, records: 1_000, bytes: 2 ** 20 })
  const from = performance.now()
  await append(appender, 'a')
  await eventually(() => sink.deliveries.length === 1, { what: 'the record' })
  expect(performance.now() - from).toBeGreaterThanOrEqual(99)
  await drain()
})

test('What waits goes out where the lanes of the process hold all that they may, so that nothing more would come', async () => {
  const { lane } = await installation.route('no-room')
  const appender = await open(lane)
  const budget = new Budget(1_000)
  const { sink, drain } = run(lane, { ms: hour, records: 1_000, bytes: 64 * 2 ** 20 }, { budget })
  const large = 'x'.repeat(600_000)
  for (let message = 0; message < 8; message++) await append(appender, large)
  await eventually(() => sink.values.length > 0, { what: 'what there was room for' })
  expect(sink.values).toContain(large)
  await drain()
})

test('What gathers goes out at once when the lane is drained, and not at all when it is given up', async () => {
  const { lane } = await installation.route('gathering')
  const appender = await open(lane)
  const long = { ms: hour, records: 1_000, bytes: 2 ** 20 }
  const first = run(lane, long)
  await append(appender, 'a', 'b')
  await eventually(() => first.counts.pending === 2, { what: 'the records to wait' })
  await first.abort()
  expect(first.sink.deliveries).toEqual([])
  const next = run(lane, long, { epoch: 2 })
  await eventually(() => next.counts.pending === 2, { what: 'the records to wait again' })
  await next.drain()
  expect(next.sink.deliveries).toEqual([['a', 'b']])
  expect(await committed(installation, lane)).toMatchObject({ totals: { out: 2 } })
})
