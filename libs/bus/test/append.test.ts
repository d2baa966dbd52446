import { eventually, install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { headers } from '@nats-io/nats-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AlarmError,
  type Append,
  type Bus,
  deleteRouteStreams,
  FencedError,
  type LaneAppender,
  type LaneBatch,
  type LaneName,
  LaneReader,
  laneSubject,
  makeRouteStreams,
  openLane,
  PermissionError,
  type Problem,
  readEnd,
  StoppedError,
  trimLane,
} from '../src/index.ts'
import { lane } from './lanes.ts'

noLeaks()

let installation: Installation
let source: Bus
let sink: Bus

beforeAll(async () => {
  installation = await install({ maxPayload: '64KB' })
  source = await installation.connect('mqtt-ingress')
  sink = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

interface Opening {
  bus?: Bus
  epoch: number
  start?: (previous: string | undefined) => string | Promise<string>
  tell?: (problem: Problem | undefined) => void
  signal?: AbortSignal
  mayWrite?: () => boolean
}

const open = (
  of: LaneName,
  { bus = source, signal = installation.signal, ...opening }: Opening,
): Promise<LaneAppender> =>
  openLane({
    bus,
    lane: of,
    uid: of.route.toUpperCase(),
    signal,
    start: previous => previous ?? 'start',
    tell() {},
    ...opening,
  })

const batch = (text: string, position = text): Append => ({ payload: Buffer.from(text), count: 1, position })

/** The whole lane as a sink reads it, up to this many records. */
async function readAll(of: LaneName, records: number): Promise<LaneBatch[]> {
  const stop = new AbortController()
  const reader = new LaneReader({
    bus: sink,
    lane: of,
    uid: of.route.toUpperCase(),
    after: { sequence: 0 },
    base: 0,
    signal: stop.signal,
  })
  const batches: LaneBatch[] = []
  for (let read = 0; read < records; ) {
    await reader.waiting(installation.signal)
    for (let next = reader.take(); next !== undefined; next = reader.take()) {
      read += next.count
      batches.push(next)
    }
  }
  stop.abort()
  return batches
}

const texts = (batches: LaneBatch[]) =>
  batches.filter(({ count }) => count > 0).map(({ payload }) => payload.toString())

test('A lane opens with its epoch and start, and every batch says how many came before it', async () => {
  const { lane } = await installation.route('opens')
  const appender = await open(lane, { epoch: 7 })
  expect(appender.previous).toBeUndefined()
  await appender.append({ ...batch('abc', 'p1'), count: 3, firstTime: 17, traceparent: '00-a-b-01' })
  await appender.append({ ...batch('de', 'p2'), count: 2 })
  const [opening, first, second] = await readAll(lane, 5)
  expect(opening).toMatchObject({ base: 0, count: 0, epoch: 7, position: 'start', sequence: 1 })
  expect(first).toMatchObject({
    base: 0,
    count: 3,
    position: 'p1',
    firstTime: 17,
    traceparent: '00-a-b-01',
    sequence: 2,
  })
  expect(second).toMatchObject({ base: 3, count: 2, position: 'p2', sequence: 3 })
  expect(await readEnd(source, lane)).toMatchObject({ base: 3, count: 2, position: 'p2', sequence: 3, epoch: 7 })
})

test('A new owner goes on where the last one was; the old one is fenced at once, and can not come back', async () => {
  const { lane } = await installation.route('owners')
  const old = await open(lane, { epoch: 1 })
  await old.append(batch('a'))
  const next = await open(lane, { epoch: 2 })
  expect(next.previous).toBe('a')
  await expect(old.append(batch('b'))).rejects.toThrow(FencedError)
  await expect(open(lane, { epoch: 1 })).rejects.toThrow(FencedError)
  await next.append(batch('c'))
  expect(texts(await readAll(lane, 2))).toEqual(['a', 'c'])
})

test('The same epoch may open again: the later opening wins, the earlier one is fenced', async () => {
  const { lane } = await installation.route('again')
  const before = await open(lane, { epoch: 5 })
  await before.append(batch('a'))
  const after = await open(lane, { epoch: 5 })
  await expect(before.append(batch('never'))).rejects.toThrow(FencedError)
  await after.append(batch('b'))
  expect(texts(await readAll(lane, 2))).toEqual(['a', 'b'])
})

test('What an earlier run with the same epoch had under way lands while the lane is opened: it is kept, and gone on from', async () => {
  const { lane } = await installation.route('landing')
  const before = await open(lane, { epoch: 5 })
  const asked: (string | undefined)[] = []
  const after = await open(lane, {
    epoch: 5,
    start: async previous => {
      if (asked.push(previous) === 1) await before.append(batch('landed', 'p9'))
      return previous ?? 'start'
    },
  })
  expect(asked).toEqual(['start', 'p9'])
  await after.append(batch('next'))
  expect(texts(await readAll(lane, 2))).toEqual(['landed', 'next'])
})

test('An append whose answer was lost is stored once', async () => {
  const { lane } = await installation.route('lost-answer')
  await using proxy = await startProxy(installation.nats.port)
  const bus = await installation.connect('mqtt-ingress', proxy.port)
  const told: (string | undefined)[] = []
  const appender = await open(lane, { bus, epoch: 1, tell: problem => told.push(problem?.code) })
  for (const text of ['a', 'b', 'c']) {
    proxy.dropAnswers()
    await appender.append(batch(text))
  }
  expect(texts(await readAll(lane, 3))).toEqual(['a', 'b', 'c'])
  expect((await readEnd(source, lane))?.sequence).toBe(4)
  expect(told).toContain('nats_unreachable')
  await bus[Symbol.asyncDispose]()
})

test('A copy that arrives late, after a newer owner has opened, is not stored', async () => {
  const { lane } = await installation.route('late')
  await using proxy = await startProxy(installation.nats.port)
  const bus = await installation.connect('mqtt-ingress', proxy.port)
  const old = await open(lane, { bus, epoch: 1 })
  proxy.freeze()
  const late = old.append(batch('late'))
  const next = await open(lane, { epoch: 2 })
  await next.append(batch('a'))
  proxy.thaw()
  await expect(late).rejects.toThrow(FencedError)
  expect(texts(await readAll(lane, 1))).toEqual(['a'])
  expect((await readEnd(source, lane))?.sequence).toBe(3)
  await bus[Symbol.asyncDispose]()
})

test('A batch of any size comes out as it went in, in parts that the server takes', async () => {
  const { lane } = await installation.route('parts')
  const appender = await open(lane, { epoch: 1 })
  const sizes = [0, 1, 60_000, 65_000, 65_536, 130_000, 1_000_000]
  for (const size of sizes)
    await appender.append({ payload: filled(size), count: 1, position: 'p'.repeat(size % 3_000) })
  const batches = (await readAll(lane, sizes.length)).filter(({ count }) => count > 0)
  expect(batches.map(({ payload }) => payload.length)).toEqual(sizes)
  for (const { payload } of batches) expect(payload.equals(filled(payload.length))).toBe(true)
  expect(batches.map(({ base }) => base)).toEqual(sizes.map((_, index) => index))
})

test('A batch whose writer died between two parts is dropped, and the next owner goes on from the position before it', async () => {
  const { lane } = await installation.route('half')
  const stop = new AbortController()
  let sent = 0
  const mayWrite = () => {
    if (sent++ === 3) stop.abort()
    return true
  }
  const dying = await open(lane, { epoch: 1, signal: stop.signal, mayWrite })
  sent = 0
  await dying.append(batch('whole', 'p1'))
  await expect(dying.append({ payload: filled(300_000), count: 1, position: 'p2' })).rejects.toThrow(StoppedError)
  expect(await readEnd(source, lane)).toMatchObject({ part: '2/5', count: 0, base: 1, position: 'p1' })
  const next = await open(lane, { epoch: 2 })
  expect(next.previous).toBe('p1')
  await next.append({ payload: filled(200_000), count: 1, position: 'p2' })
  const batches = await readAll(lane, 2)
  expect(batches.filter(({ count }) => count > 0).map(({ payload }) => payload.length)).toEqual([5, 200_000])
})

test('A full stream holds the lane, and says so; it goes on when there is room', async () => {
  const { lane } = await installation.route('full', 256 * 1024)
  const told: (string | undefined)[] = []
  const appender = await open(lane, { epoch: 1, tell: problem => told.push(problem?.code) })
  const stored: number[] = []
  const storing = (async () => {
    for (let i = 0; i < 12; i++)
      stored.push(await appender.append({ payload: filled(50_000), count: 1, position: `${i}` }).then(() => i))
  })()
  await eventually(() => told.includes('stream_full'), { what: 'the full stream to be told' })
  expect(stored.length).toBeLessThan(6)
  while (stored.length < 12) {
    const end = await readEnd(installation.coordinator, lane)
    if (end !== undefined) await trimLane(installation.coordinator, lane, end.sequence)
  }
  await storing
  expect(told.at(-1)).toBeUndefined()
  expect((await readEnd(source, lane))?.base).toBe(11)
})

test('An owner that may not write any more sends nothing', async () => {
  const { lane } = await installation.route('lease')
  let mine = true
  const appender = await open(lane, { epoch: 1, mayWrite: () => mine })
  mine = false
  await expect(appender.append(batch('never'))).rejects.toThrow(StoppedError)
  expect((await readEnd(source, lane))?.sequence).toBe(1)
})

test('Somebody else in the lane is an alarm', async () => {
  const { lane } = await installation.route('stranger')
  const appender = await open(lane, { epoch: 3 })
  await source.call(source.js.publish(laneSubject(lane), 'hello', { headers: headers() }))
  const error = await appender.append(batch('a')).catch(error => error)
  expect(error).toBeInstanceOf(AlarmError)
  expect(error).toMatchObject({ code: 'lane_conflict' })
})

test('A lane of an older route of the same name is an alarm, and so is one without a stream', async () => {
  const { lane } = await installation.route('renamed')
  const opening = { bus: source, lane, signal: installation.signal, epoch: 1, tell() {}, start: () => 'start' }
  await expect(openLane({ ...opening, uid: 'ANOTHER' })).rejects.toMatchObject({ code: 'stream_replaced' })
  const appender = await openLane({ ...opening, uid: 'RENAMED' })
  await deleteRouteStreams(installation.coordinator, 'renamed', 'ANOTHER')
  await appender.append(batch('still there'))
  await deleteRouteStreams(installation.coordinator, 'renamed', 'RENAMED')
  await expect(openLane({ ...opening, uid: 'RENAMED' })).rejects.toMatchObject({ code: 'stream_missing' })
  const recreated = {
    route: 'renamed',
    uid: 'RENAMED',
    maxBytes: 2 ** 20,
    deadLetters: { maxBytes: 2 ** 20 },
    replicas: 1,
  }
  await makeRouteStreams(installation.coordinator, recreated)
  await expect(appender.append(batch('lost lane'))).rejects.toMatchObject({ code: 'lane_conflict' })
})

test('A subject that is not its own is refused for good, not tried for ever', async () => {
  await installation.route('foreign')
  const foreign: LaneName = { ...lane, service: 'kafka-ingress', route: 'foreign' }
  await expect(open(foreign, { epoch: 1 })).rejects.toThrow(PermissionError)
})

/** Bytes that differ from place to place, so that swapped parts are seen. */
function filled(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at++) bytes[at] = (at >> 8) ^ at
  return bytes
}

test('A message with an epoch that no coordinator gives out is a stranger: the lane is not opened, and not read', async () => {
  const { lane } = await installation.route('absurd')
  const encoded = headers()
  for (const [name, value] of Object.entries({ epoch: 2 ** 53 - 1, base: 0, count: 0, writer: 'w', position: 'p' }))
    encoded.set(`mr-${name}`, String(value))
  await source.call(source.js.publish(laneSubject(lane), 'x', { headers: encoded }))
  await expect(open(lane, { epoch: 1 })).rejects.toMatchObject({ code: 'lane_conflict' })
  await expect(readEnd(source, lane)).rejects.toMatchObject({ code: 'lane_conflict' })
})
