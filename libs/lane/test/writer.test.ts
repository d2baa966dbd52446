import {
  Budget,
  type Bus,
  deadLetterStream,
  dataStream,
  type LaneBatch,
  type LaneName,
  LaneReader,
  readEnd,
  streamInfo,
} from '@millrace/bus'
import { emptyView, type RecordView } from '@millrace/record'
import { eventually, install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WriterOptions } from '../src/index.ts'
import { openLaneFor } from './opened.ts'
import { view } from './records.ts'

noLeaks()

let installation: Installation
let bus: Bus

beforeAll(async () => {
  installation = await install()
  bus = await installation.connect('mqtt-ingress')
})
afterAll(() => installation[Symbol.asyncDispose]())

/** A writer whose position is the number of records added. */
async function open(lane: LaneName, options: Partial<WriterOptions> = {}) {
  const opened = await openLaneFor({ bus, signal: installation.signal }, lane, options)
  // The position is told after the record was added: it must not be asked in between.
  const add = (view: RecordView): number => {
    const ordinal = opened.writer.add(view)
    opened.at.position++
    return ordinal
  }
  return { ...opened, add }
}

async function readAll(lane: LaneName, records: number): Promise<LaneBatch[]> {
  const stop = new AbortController()
  await using sink = await installation.connect('kafka-egress')
  const reader = new LaneReader({
    bus: sink,
    lane,
    uid: lane.route.toUpperCase(),
    after: { sequence: 0 },
    base: 0,
    signal: stop.signal,
  })
  const batches: LaneBatch[] = []
  for (let read = 0; read < records; ) {
    await reader.waiting(installation.signal)
    for (let next = reader.take(); next !== undefined; next = reader.take()) {
      read += next.count
      if (next.count > 0) batches.push(next)
    }
  }
  stop.abort()
  return batches
}

test('Records are stored in order, and told by their ordinals, each once', async () => {
  const { lane } = await installation.route('in-order')
  const { writer, add, stored, counts } = await open(lane)
  expect(writer.position).toBeUndefined()
  expect([add(view('a')), add(view('b')), add(view('c'))]).toEqual([1, 2, 3])
  await writer.flush()
  add(view('d'))
  await writer.flush()
  expect(stored).toEqual([3, 4])
  expect(counts).toEqual({ in: 4, refused: 0, pending: 0 })
  expect((await readAll(lane, 4)).map(({ base, count, position }) => ({ base, count, position }))).toEqual([
    { base: 0, count: 3, position: '3' },
    { base: 3, count: 1, position: '4' },
  ])
  expect((await open(lane, { epoch: 2 })).writer.position).toBe('4')
})

test('While a batch is being stored the next one fills: one append at a time', async () => {
  const { lane } = await installation.route('group')
  const { writer, add, stored } = await open(lane)
  for (let turn = 0; turn < 50; turn++) {
    for (let i = 0; i < 20; i++) add(view(`${turn}.${i}`))
    await new Promise(resolve => setImmediate(resolve))
  }
  await writer.flush()
  const batches = await readAll(lane, 1_000)
  expect(batches.length).toBeLessThan(50)
  expect(stored).toEqual(batches.map(({ base, count }) => base + count))
  expect(batches.map(({ base, count }) => `${base + count}`)).toEqual(batches.map(({ position }) => position))
})

test('A lone record is stored without anybody asking', async () => {
  const { lane } = await installation.route('lone')
  const { add, stored } = await open(lane)
  add(view('a'))
  await eventually(() => stored.length === 1, { what: 'the record to be stored' })
  expect(stored).toEqual([1])
})

test('A batch is closed when it is full, at the end of the turn', async () => {
  const { lane } = await installation.route('full-batch')
  const { writer, add } = await open(lane)
  const value = 'x'.repeat(10_000)
  for (let turn = 0; turn < 30; turn++) {
    for (let i = 0; i < 5; i++) add(view(value))
    await Promise.resolve()
  }
  await writer.flush()
  const batches = await readAll(lane, 150)
  expect(Math.max(...batches.map(({ payload }) => payload.length))).toBeLessThan(256 * 1024 + 5 * 11_000)
  expect(batches.length).toBeGreaterThan(3)
})

test('What is refused becomes a dead letter before its batch is acknowledged', async () => {
  const { lane } = await installation.route('refused')
  const { writer, add, stored, counts } = await open(lane, { maxRecordBytes: 1_000 })
  add(view('a'))
  expect(writer.refuse(view('b'), { code: 'bad_topic', message: 'No.' })).toBe(2)
  add(view('x'.repeat(2_000)))
  add({ ...view('c'), timestamp: Number.NaN })
  add(view('d'))
  await writer.flush()
  expect(stored).toEqual([5])
  expect(counts).toEqual({ in: 2, refused: 3, pending: 0 })
  expect((await streamInfo(installation.coordinator, deadLetterStream(lane.route)))?.state.messages).toBe(3)
  expect((await readAll(lane, 2)).at(-1)).toMatchObject({ base: 0, count: 2 })
})

test('Refused records alone are stored and acknowledged, and nothing is appended where the position is as before', async () => {
  const { lane } = await installation.route('refused-alone')
  const { writer, stored } = await open(lane)
  writer.refuse(view('b'), { code: 'bad_topic', message: 'No.' })
  await eventually(() => stored.length === 1, { what: 'the dead letter to be acknowledged' })
  expect((await streamInfo(installation.coordinator, dataStream(lane.route)))?.state.messages).toBe(1)
})

test('The position behind refused records is in the lane before they are acknowledged, so that no owner makes them again', async () => {
  const { lane } = await installation.route('refused-last')
  const ends: Promise<unknown>[] = []
  const stored = (): void => void ends.push(readEnd(bus, lane))
  const events = { stored, roomAgain: () => undefined, position: () => '3' }
  const { writer } = await open(lane, { events })
  for (const value of ['a', 'b', 'c']) writer.refuse(view(value), { code: 'bad_topic', message: 'No.' })
  await writer.flush()
  expect(await Promise.all(ends)).toMatchObject([{ count: 0, base: 0, position: '3' }])
  expect((await streamInfo(installation.coordinator, dataStream(lane.route)))?.state.messages).toBe(2)
  expect((await open(lane, { epoch: 2 })).writer.position).toBe('3')
})

test('A record larger than a quarter of the share is never begun', async () => {
  const { lane } = await installation.route('quarter')
  const { writer, add, counts } = await open(lane, { share: { records: 100, bytes: 40_000 } })
  add(view('x'.repeat(9_000)))
  add(view('x'.repeat(11_000)))
  await writer.flush()
  expect(counts).toEqual({ in: 1, refused: 1, pending: 0 })
})

test('A record of 5 MB is stored whole, in parts', async () => {
  const { lane } = await installation.route('large')
  const { writer, add } = await open(lane)
  add(view('x'.repeat(5_000_000)))
  await writer.flush()
  const [batch] = await readAll(lane, 1)
  expect(batch?.payload.length).toBeGreaterThan(5_000_000)
  expect(batch?.part).toBe('5/5')
})

test.each([
  ['records', { records: 100, bytes: 2 ** 30 }],
  ['bytes', { records: 1_000_000, bytes: 200_000 }],
])('What is unstored is bounded in %s, and room is told when it is there again', async (what, share) => {
  const { lane } = await installation.route(`room-${what}`)
  await using proxy = await startProxy(installation.nats.port)
  const own = await installation.connect('mqtt-ingress', proxy.port)
  const { writer, add, rooms, stored } = await open(lane, { bus: own, share })
  proxy.freeze()
  let added = 0
  for (; writer.room; added++) add(view('x'.repeat(2_000)))
  expect(added).toBe(100)
  expect(rooms).toEqual([])
  proxy.thaw()
  await eventually(() => rooms.length === 1 && stored.at(-1) === added, { what: 'room to be told' })
  expect(writer.room).toBe(true)
  await own[Symbol.asyncDispose]()
})

test('A newer owner ends it: nothing more is stored, and whoever flushes is told', async () => {
  const { lane } = await installation.route('fenced')
  const old = await open(lane)
  await open(lane, { epoch: 2 })
  old.add(view('a'))
  await expect(old.writer.flush()).rejects.toMatchObject({ name: 'FencedError' })
  await expect(old.writer.ended).rejects.toMatchObject({ name: 'FencedError' })
  expect(old.stored).toEqual([])
})

test('Once the signal aborts nothing is stored any more', async () => {
  const { lane } = await installation.route('aborted')
  const stop = new AbortController()
  const { writer, add, stored } = await open(lane, { signal: stop.signal })
  add(view('a'))
  stop.abort()
  add(view('b'))
  await expect(writer.ended).rejects.toMatchObject({ name: 'StoppedError' })
  expect(stored).toEqual([])
  expect(await readEnd(bus, lane)).toMatchObject({ count: 0 })
})

test('A record without key, value or headers is a record', async () => {
  const { lane } = await installation.route('nothing')
  const { writer, add } = await open(lane)
  add(emptyView())
  await writer.flush()
  expect(await readAll(lane, 1)).toHaveLength(1)
})

test('flush in the turn in which the last batch was stored returns', async () => {
  const { lane } = await installation.route('flush-at-once')
  const { promise: flushed, resolve, reject } = Promise.withResolvers<void>()
  const flush = () => void writer.flush().then(resolve, reject)
  const events = { stored: () => queueMicrotask(flush), roomAgain: () => undefined, position: () => '1' }
  const { writer, add } = await open(lane, { events })
  add(view('a'))
  await expect(flushed).resolves.toBeUndefined()
  await expect(writer.flush()).resolves.toBeUndefined()
})

test('A lane whose process holds all that it may has room again when its own records are stored', async () => {
  const { lane } = await installation.route('budget')
  const budget = new Budget(1_000)
  using others = budget.hold(2_000)
  const own = new AbortController()
  const { writer, add, rooms } = await open(lane, { budget, signal: own.signal })
  expect(writer.room).toBe(true)
  add(view('x'.repeat(5_000)))
  expect(writer.room).toBe(false)
  await writer.flush()
  expect(rooms).toEqual([1])
  expect(writer.room).toBe(true)
  add(view('never stored'))
  own.abort()
  await expect(writer.ended).rejects.toThrow('Stopped')
  expect(budget.held).toBe(others.bytes)
})
