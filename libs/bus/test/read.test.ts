import { cp, rm } from 'node:fs/promises'
import { eventually, install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Bus,
  dataStream,
  deleteRouteStreams,
  type LaneAppender,
  type LaneName,
  LaneReader,
  makeRouteStreams,
  openLane,
  readEnd,
  trimLane,
} from '../src/index.ts'

noLeaks()

let installation: Installation
let source: Bus
let sink: Bus

beforeAll(async () => {
  installation = await install()
  source = await installation.connect('mqtt-ingress')
  sink = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

const open = (lane: LaneName, { bus = source, epoch = 1 } = {}): Promise<LaneAppender> =>
  openLane({
    bus,
    lane,
    uid: lane.route.toUpperCase(),
    epoch,
    signal: installation.signal,
    start: previous => previous ?? 'start',
    tell() {},
  })

async function fill(appender: LaneAppender, batches: number, bytes = 10): Promise<void> {
  for (let i = 0; i < batches; i++)
    await appender.append({ payload: Buffer.alloc(bytes, i), count: 10, position: `${i}` })
}

interface From {
  bus?: Bus
  after?: number
  writer?: string
  base?: number
  prefetchBytes?: number
  signal?: AbortSignal
}

const reading = (
  lane: LaneName,
  { bus = sink, after: sequence = 0, writer, base = 0, signal = installation.signal, ...rest }: From = {},
) => new LaneReader({ bus, lane, uid: lane.route.toUpperCase(), after: { sequence, writer }, base, signal, ...rest })

/** Takes batches until so many records were read; returns their sequences. */
async function take(reader: LaneReader, records: number): Promise<number[]> {
  const sequences: number[] = []
  for (let read = 0; read < records; ) {
    await reader.waiting(installation.signal)
    for (let next = reader.take(); next !== undefined; next = reader.take()) {
      read += next.count
      sequences.push(next.sequence)
    }
  }
  return sequences
}

test('A lane is read in order from where the position says, and what is appended later comes too', async () => {
  const { lane } = await installation.route('order')
  const appender = await open(lane)
  await fill(appender, 5)
  const reader = reading(lane, { after: 3, base: 20 })
  expect(await take(reader, 30)).toEqual([4, 5, 6])
  const later = take(reader, 20)
  await fill(appender, 2)
  expect(await later).toEqual([7, 8])
  expect(reader.pending).toBe(0)
})

test('What is prefetched is bounded, however long nobody takes it', async () => {
  const { lane } = await installation.route('bounded')
  const appender = await open(lane)
  await fill(appender, 40, 50_000)
  const reader = reading(lane, { prefetchBytes: 200_000 })
  await eventually(() => reader.pending === 400, { what: 'the reader to know what there is' })
  const held = () => sink.nc.stats().inBytes
  let before = -1
  await eventually(
    () => {
      const still = held() === before
      before = held()
      return still
    },
    { what: 'the reader to stop reading', interval: 100 },
  )
  let waiting = 0
  while (reader.next !== undefined) {
    waiting += reader.next.payload.length
    // Taken without a turn of the event loop, so that nothing new can come.
    reader.take()
  }
  expect(waiting).toBeGreaterThanOrEqual(200_000)
  expect(waiting).toBeLessThanOrEqual(400_000)
  expect(await take(reader, 400 - waiting / 5_000)).toHaveLength(40 - waiting / 50_000)
})

test('Reading goes on by itself after nats-server was killed and restarted', async () => {
  await using own = await install()
  const { lane } = await own.route('restart')
  const appender = await open(lane, { bus: await own.connect('mqtt-ingress') })
  const reader = reading(lane, { bus: await own.connect('kafka-egress') })
  for (let round = 1; round <= 3; round++) {
    await fill(appender, 2)
    expect(await take(reader, 20)).toContain(round * 2 + 1)
    await own.nats.kill()
    await own.nats.restart()
  }
})

test('A connection that is cut, and one that is silent, are noticed, and reading goes on', async () => {
  const { lane } = await installation.route('cut')
  await using proxy = await startProxy(installation.nats.port)
  const bus = await installation.connect('kafka-egress', proxy.port)
  const appender = await open(lane)
  const reader = reading(lane, { bus })
  await fill(appender, 1)
  await take(reader, 10)
  proxy.cut()
  await fill(appender, 1)
  expect(await take(reader, 10)).toEqual([3])
  proxy.freeze()
  await fill(appender, 1)
  const silent = take(reader, 10)
  await eventually(() => !bus.connected, { what: 'the silence to be noticed', timeout: 30_000 })
  proxy.thaw()
  expect(await silent).toEqual([4])
  await bus[Symbol.asyncDispose]()
})

test('A consumer that the server forgot is made anew', async () => {
  const { lane } = await installation.route('forgotten')
  const appender = await open(lane)
  const reader = reading(lane)
  await fill(appender, 1)
  await take(reader, 10)
  await using admin = await installation.admin()
  const jsm = await jetstreamManager(admin)
  for await (const { name } of jsm.consumers.list(dataStream(lane.route))) {
    await jsm.consumers.delete(dataStream(lane.route), name)
  }
  await fill(appender, 1)
  expect(await take(reader, 10)).toEqual([3])
})

test('A position beyond the end of the lane is an alarm', async () => {
  const { lane } = await installation.route('beyond')
  await fill(await open(lane), 2)
  const reader = reading(lane, { after: 9, base: 90 })
  await expect(reader.waiting(installation.signal)).rejects.toMatchObject({ code: 'position_beyond' })
})

test('A position in a lane that is empty is an alarm', async () => {
  const { lane } = await installation.route('empty')
  await expect(reading(lane, { after: 1 }).waiting(installation.signal)).rejects.toMatchObject({
    code: 'position_beyond',
  })
})

test('A position whose totals do not add up to what the lane says is an alarm', async () => {
  const { lane } = await installation.route('totals')
  await fill(await open(lane), 3)
  const reader = reading(lane, { after: 3, base: 19 })
  await expect(reader.waiting(installation.signal)).rejects.toMatchObject({ code: 'totals_differ' })
})

test('Records that are gone before they were read are an alarm, at the start and later', async () => {
  const { lane } = await installation.route('gap')
  const appender = await open(lane)
  await fill(appender, 20, 50_000)
  const reader = reading(lane, { prefetchBytes: 100_000 })
  await reader.waiting(installation.signal)
  await trimLane(installation.coordinator, lane, 20)
  await expect(take(reader, 200)).rejects.toMatchObject({ code: 'lane_gap' })
  await expect(reading(lane).waiting(installation.signal)).rejects.toMatchObject({ code: 'lane_gap' })
  await expect(reading(lane, { after: 5, base: 40 }).waiting(installation.signal)).rejects.toMatchObject({
    code: 'lane_gap',
  })
})

test('A stream that was made anew under the same name is an alarm', async () => {
  const { lane, uid } = await installation.route('anew')
  await fill(await open(lane), 3)
  await deleteRouteStreams(installation.coordinator, lane.route, uid)
  const streams = { route: lane.route, maxBytes: 2 ** 20, deadLetters: { maxBytes: 2 ** 20 }, replicas: 1 }
  await makeRouteStreams(installation.coordinator, { ...streams, uid: 'ANOTHER' })
  const reader = reading(lane, { after: 4, base: 30 })
  await expect(reader.waiting(installation.signal)).rejects.toMatchObject({ code: 'stream_replaced' })
  await deleteRouteStreams(installation.coordinator, lane.route, 'ANOTHER')
  await expect(reading(lane).waiting(installation.signal)).rejects.toMatchObject({ code: 'stream_missing' })
  await makeRouteStreams(installation.coordinator, { ...streams, uid })
  await fill(await open(lane), 1)
  const shorter = reading(lane, { after: 4, base: 30 })
  await expect(shorter.waiting(installation.signal)).rejects.toMatchObject({ code: 'position_beyond' })
})

test('A stream that was restored from an older copy while it was being read is an alarm', async () => {
  await using own = await install()
  const { lane } = await own.route('restored')
  const appender = await open(lane, { bus: await own.connect('mqtt-ingress') })
  const reader = reading(lane, { bus: await own.connect('kafka-egress') })
  await fill(appender, 2)
  await take(reader, 20)
  const [store, copy] = [`${own.nats.folder}/store`, `${own.nats.folder}/copy`]
  await own.nats.kill()
  await cp(store, copy, { recursive: true })
  await own.nats.restart()
  await fill(appender, 2)
  await take(reader, 20)
  await own.nats.kill()
  await rm(store, { recursive: true })
  await cp(copy, store, { recursive: true })
  await own.nats.restart()
  await expect(reader.waiting(own.signal)).rejects.toMatchObject({ code: 'position_beyond' })
  await expect(fill(appender, 1)).rejects.toMatchObject({ code: 'lane_conflict' })
})

test('A restored stream that has grown again to the same sequence and count of records is an alarm, never a gap', async () => {
  await using own = await install()
  const { lane } = await own.route('regrown')
  const bus = await own.connect('mqtt-ingress')
  const reader = reading(lane, { bus: await own.connect('kafka-egress') })
  await fill(await open(lane, { bus }), 2)
  await take(reader, 20)
  const [store, copy] = [`${own.nats.folder}/store`, `${own.nats.folder}/copy`]
  await own.nats.kill()
  await cp(store, copy, { recursive: true })
  await own.nats.restart()
  await fill(await open(lane, { bus, epoch: 2 }), 1)
  await take(reader, 10)
  const position = await readEnd(bus, lane)
  await own.nats.kill()
  await rm(store, { recursive: true })
  await cp(copy, store, { recursive: true })
  await own.nats.restart()
  await fill(await open(lane, { bus, epoch: 2 }), 2)
  const { sequence: after = 0, writer = '' } = position ?? {}
  const again = reading(lane, { bus: await own.connect('kafka-egress'), after, writer, base: 30 })
  await expect(again.waiting(own.signal)).rejects.toMatchObject({ code: 'lane_replaced' })
  // Whoever was reading all the time may have looked before it had grown.
  const code = expect.stringMatching(/lane_replaced|position_beyond/)
  await expect(reader.waiting(own.signal)).rejects.toMatchObject({ code })
})

test('Trimming never empties a lane, and can not be asked to', async () => {
  const { lane } = await installation.route('trim')
  await fill(await open(lane), 3)
  for (const sequence of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(trimLane(installation.coordinator, lane, sequence)).rejects.toThrow(RangeError)
  }
  expect(await trimLane(installation.coordinator, lane, 4)).toBe(3)
  expect(await trimLane(installation.coordinator, lane, 4)).toBe(0)
  expect(await readEnd(sink, lane)).toMatchObject({ sequence: 4, base: 20, count: 10 })
})
