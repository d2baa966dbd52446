/** Whole record batches that go through a writer as they are. */
import { type Bus, deadLetterStream, type LaneBatch, type LaneName, LaneReader, streamInfo } from '@millrace/bus'
import { RecordSetReader } from '@millrace/record'
import { eventually, install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WriterOptions } from '../src/index.ts'
import { openLaneFor } from './opened.ts'
import { keptAt, valueOf, view } from './records.ts'

noLeaks()

let installation: Installation
let bus: Bus

beforeAll(async () => {
  installation = await install()
  bus = await installation.connect('mqtt-ingress')
})
afterAll(() => installation[Symbol.asyncDispose]())

/** A writer whose position is the offset to go on from, as its test sets it. */
const open = (lane: LaneName, options: Partial<WriterOptions> = {}) =>
  openLaneFor({ bus, signal: installation.signal }, lane, options)

/** The lane's batches up to this position, but for opening ones. */
async function readTo(lane: LaneName, position: string): Promise<LaneBatch[]> {
  const stop = new AbortController()
  await using sink = await installation.connect('kafka-egress')
  const uid = lane.route.toUpperCase()
  const reader = new LaneReader({ bus: sink, lane, uid, after: { sequence: 0 }, base: 0, signal: stop.signal })
  const batches: LaneBatch[] = []
  for (let at = ''; at !== position; ) {
    await reader.waiting(installation.signal)
    for (let next = reader.take(); next !== undefined; next = reader.take()) {
      at = next.position
      batches.push(next)
    }
  }
  stop.abort()
  return batches.slice(1)
}

/** Offset and value of each record. */
function recordsOf(batches: readonly LaneBatch[]): string[] {
  const reader = new RecordSetReader({ maxBytes: 2 ** 24 })
  const records: string[] = []
  for (const { payload, count } of batches) {
    reader.open(payload, count)
    while (reader.next()) records.push(`${reader.offset} ${valueOf(reader.view)}`)
  }
  return records
}

const letters = async (lane: LaneName) =>
  (await streamInfo(installation.coordinator, deadLetterStream(lane.route)))?.state.messages

test('Whole batches are stored as they are, in one message, with their count and the time of passing', async () => {
  const { lane } = await installation.route('passed')
  const { writer, stored, counts, at } = await open(lane)
  const [first, second] = [keptAt(5, ['a', 'b'], 'zstd'), keptAt(9, ['c'])]
  const before = Date.now()
  expect(writer.pass(first, 2)).toBe(2)
  expect(writer.pass(second, 1)).toBe(3)
  at.position = 10
  await writer.flush()
  const after = Date.now()
  expect([stored, counts]).toEqual([[3], { in: 3, refused: 0, pending: 0 }])
  const [batch, ...none] = await readTo(lane, '10')
  expect(none).toEqual([])
  expect(batch).toMatchObject({ base: 0, count: 3, payload: Buffer.concat([first, second]) })
  expect(batch?.firstTime).toBeGreaterThanOrEqual(before)
  expect(batch?.firstTime).toBeLessThanOrEqual(after)
})

test('Batches that are passed and records that are added keep their order', async () => {
  const { lane } = await installation.route('mixed')
  const { writer, at } = await open(lane)
  expect(writer.add(view('a'))).toBe(1)
  expect(writer.pass(keptAt(7, ['b', 'c']), 2)).toBe(3)
  expect(writer.add(view('d'))).toBe(4)
  at.position = 9
  await writer.flush()
  const batches = await readTo(lane, '9')
  expect(batches).toMatchObject([{ base: 0, count: 4 }])
  expect(recordsOf(batches)).toEqual(['0 a', '7 b', '8 c', '0 d'])
})

test('Batches go on being passed while one is stored: one append at a time, each behind the last', async () => {
  const { lane } = await installation.route('group')
  const { writer, stored, at } = await open(lane)
  while (at.position < 1_000) {
    const values = Array.from({ length: 10 }, (_, i) => `v${at.position + i}`)
    writer.pass(keptAt(at.position, values, 'lz4'), 10)
    at.position += 10
    await new Promise(resolve => setImmediate(resolve))
  }
  await writer.flush()
  const batches = await readTo(lane, '1000')
  expect(batches.length).toBeLessThan(100)
  expect(stored).toEqual(batches.map(({ base, count }) => base + count))
  expect(batches.map(({ position }) => Number(position))).toEqual(stored)
  expect(recordsOf(batches)).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i} v${i}`))
})

test('What is larger than one message is stored in parts', async () => {
  const { lane } = await installation.route('parts')
  const { writer, at } = await open(lane)
  for (; at.position < 3; at.position++) writer.pass(keptAt(at.position, ['x'.repeat(900_000)]), 1)
  await writer.flush()
  const batches = await readTo(lane, '3')
  expect(batches.map(({ count, part }) => [count, part])).toEqual([[3, '3/3']])
  expect(recordsOf(batches)).toHaveLength(3)
})

const large = 'x'.repeat(2_000)

test.each([
  ['plain', 'none', {}],
  ['compressed', 'zstd', { decompress: true }],
] as const)(
  'Records of a %s batch that are too large become dead letters, and the others go on with their offsets',
  async (name, compression, options) => {
    const { lane } = await installation.route(`apart-${name}`)
    const { writer, stored, counts, at } = await open(lane, { maxRecordBytes: 1_000, ...options })
    const batches = [keptAt(0, ['a']), keptAt(10, [large, 'b', large, 'c'], compression), keptAt(20, ['d'])]
    expect(writer.pass(Buffer.concat(batches), 6)).toBe(6)
    at.position = 21
    await writer.flush()
    expect([stored, counts]).toEqual([[6], { in: 4, refused: 2, pending: 0 }])
    expect(await letters(lane)).toBe(2)
    const read = await readTo(lane, '21')
    expect(read).toMatchObject([{ base: 0, count: 4 }])
    expect(recordsOf(read)).toEqual(['0 a', '11 b', '13 c', '20 d'])
  },
)

test('The dead letters come in the order of their records, and say their offsets', async () => {
  const { lane } = await installation.route('letters')
  const { writer } = await open(lane, { maxRecordBytes: 1_000 })
  writer.pass(keptAt(10, [large, 'b', `${large}y`]), 3)
  await writer.flush()
  const stream = deadLetterStream(lane.route)
  const details = [1, 2].map(async seq => {
    const message = await installation.coordinator.jsm.streams.getMessage(stream, { seq })
    return message?.header.get('mr-detail')
  })
  expect(await Promise.all(details)).toEqual([
    'A record of 2001 bytes at offset 10; the lane takes 1000.',
    'A record of 2002 bytes at offset 12; the lane takes 1000.',
  ])
})

test('Where every record is too large the position is stored all the same', async () => {
  const { lane } = await installation.route('all-apart')
  const { writer, counts, at } = await open(lane, { maxRecordBytes: 1_000 })
  writer.pass(keptAt(0, [large, large]), 2)
  at.position = 2
  await writer.flush()
  expect(counts).toEqual({ in: 0, refused: 2, pending: 0 })
  expect(await readTo(lane, '2')).toMatchObject([{ base: 0, count: 0 }])
})

test('A compressed batch counts as it is stored, unless it is to be decompressed', async () => {
  const { lane } = await installation.route('as-stored')
  const { writer, counts, at } = await open(lane, { maxRecordBytes: 1_000 })
  writer.pass(keptAt(0, [large], 'gzip'), 1)
  at.position = 1
  await writer.flush()
  expect(counts).toEqual({ in: 1, refused: 0, pending: 0 })
  expect(recordsOf(await readTo(lane, '1'))).toEqual([`0 ${large}`])
})

test('A batch that should be taken apart and cannot be read goes on as it is, and nothing of it is refused', async () => {
  const { lane } = await installation.route('unreadable')
  const { writer, counts, at } = await open(lane, { maxRecordBytes: 1_000 })
  const broken = keptAt(0, [large, 'b', large])
  broken[100] = broken[100]! ^ 1
  const batches = Buffer.concat([broken, keptAt(3, [large, 'c'])])
  writer.pass(batches, 5)
  at.position = 5
  await writer.flush()
  expect(counts).toEqual({ in: 4, refused: 1, pending: 0 })
  const [read] = await readTo(lane, '5')
  expect(read?.payload.subarray(0, broken.length).equals(broken)).toBe(true)
})

test('What is passed and not stored is bounded, and room is told when it is there again', async () => {
  const { lane } = await installation.route('room')
  await using proxy = await startProxy(installation.nats.port)
  await using own = await installation.connect('mqtt-ingress', proxy.port)
  const { writer, at, rooms, stored } = await open(lane, { bus: own, share: { records: 10_000, bytes: 200_000 } })
  proxy.freeze()
  const ten = Array.from({ length: 10 }, () => large)
  for (; writer.room; at.position += 10) writer.pass(keptAt(at.position, ten), 10)
  expect(at.position).toBe(100)
  proxy.thaw()
  await eventually(() => rooms.length === 1 && stored.at(-1) === at.position, { what: 'room to be told' })
  expect(writer.room).toBe(true)
})
