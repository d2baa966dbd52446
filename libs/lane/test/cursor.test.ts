import type { LaneBatch } from '@millrace/bus'
import { gzipSync } from 'node:zlib'
import { array, assert, boolean, property } from 'fast-check'
import { expect, test } from 'vitest'
import { Cursor } from '../src/cursor.ts'
import { letterOf } from '../src/letter.ts'
import { RoutePath } from '../src/path.ts'
import { BatchBuilder, BatchReader, recordOf, stampBatch, viewOf } from '@millrace/record'
import { batchOf, keptAt, record, valueOf } from './records.ts'

let sequence = 0
const laneBatch = (payload: Buffer, count: number, base = 0): LaneBatch => ({
  epoch: 1,
  writer: 'w',
  base,
  count,
  position: 'p',
  sequence: ++sequence,
  payload,
})
const good = (...values: string[]) =>
  laneBatch(values.length === 0 ? Buffer.alloc(0) : batchOf(...values), values.length)

function all(cursor: Cursor): string[] {
  const values: string[] = []
  while (cursor.next()) values.push(valueOf(cursor.view))
  return values
}

test('Every record of every batch comes once, in order; opening batches have none', () => {
  const cursor = new Cursor()
  cursor.begin([good(), good('a', 'b'), good(), good('c')])
  expect(all(cursor)).toEqual(['a', 'b', 'c'])
  expect(cursor).toMatchObject({ given: 3, filtered: 0, aside: [], atEnd: true })
  cursor.begin([good('d')])
  expect(all(cursor)).toEqual(['d'])
})

test('What the filter leaves out is counted, and what makes it throw is set aside', () => {
  const cursor = new Cursor(({ value }) => {
    if (value === 'bad') throw new Error('no such field')
    return value !== 'no'
  })
  const batch = good('a', 'no', 'bad', 'b')
  cursor.begin([batch, good('no', 'c')])
  expect(all(cursor)).toEqual(['a', 'b', 'c'])
  expect(cursor).toMatchObject({ given: 3, filtered: 2 })
  const message = 'The filter: no such field'
  expect(cursor.aside).toEqual([{ batch, record: 2, count: 1, problem: { code: 'expression', message } }])
})

test('What comes back in a loop is set aside; the rest is marked, and what the filter left out is not', () => {
  const cursor = new Cursor(({ value }) => value !== 'no', new RoutePath('i.r'))
  const builder = new BatchBuilder()
  builder.add(viewOf(record('b', [['millrace.path', Buffer.from('i.r,i.s')]])))
  const been = builder.finish()
  const batch = laneBatch(been, 1)
  cursor.begin([good('a', 'no'), batch])
  expect(cursor.next()).toBe(true)
  expect(recordOf(cursor.view)).toEqual(record('a', [['millrace.path', Buffer.from('i.r')]]))
  expect(cursor.next()).toBe(false)
  expect(cursor.aside).toMatchObject([{ batch, record: 0, count: 1, problem: { code: 'loop' } }])
  expect(letterOf(cursor.aside[0]!, 'u').payload).toEqual(been)
})

test('What the sink refuses by its index is found, whatever the filter left out', () => {
  assert(
    property(array(array(boolean(), { maxLength: 5 }), { maxLength: 5 }), kept => {
      const cursor = new Cursor(({ value }) => value?.endsWith('true') === true)
      const batches = kept.map((records, batch) => good(...records.map((keep, at) => `${batch}.${at}.${keep}`)))
      cursor.begin(batches)
      for (const [index, value] of all(cursor).entries()) {
        const { batch, record } = cursor.find(index)
        expect(value).toBe(`${batches.indexOf(batch)}.${record}.true`)
      }
      expect(() => cursor.find(cursor.given)).toThrow(RangeError)
    }),
  )
})

const broken = Buffer.from(batchOf('x', 'y'))
broken[70] = 0xff

/** 320 MiB of zeros, in 5 members of 64 MiB each. */
function bomb(): Buffer {
  const member = gzipSync(Buffer.alloc(64 << 20))
  const batch = Buffer.concat([batchOf('x', 'y').subarray(0, 61), ...Array.from({ length: 5 }, () => member)])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(1, 21)
  stampBatch(batch, { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false })
  return batch
}

test.each([
  ['no batch at all', Buffer.from('hello')],
  ['a batch with a flipped bit', broken],
  ['a batch that comes to more than 256 MiB', bomb()],
  ['a batch with another count than announced', batchOf('x')],
])('%s is set aside whole, and the rest is delivered', (_, payload) => {
  const cursor = new Cursor()
  const bad = laneBatch(payload, 2, 10)
  cursor.begin([good('a'), bad, good('b')])
  expect(all(cursor)).toEqual(['a', 'b'])
  expect(cursor.aside).toMatchObject([{ batch: bad, record: 0, count: 2, problem: { code: 'bad_batch' } }])
  expect(letterOf(cursor.aside[0]!, 'U')).toMatchObject({ payload, count: 2, reason: 'bad_batch', id: 'U.10' })
})

test('The dead letter of one record is a batch with that record, whole', () => {
  const payload = batchOf('a', 'b', 'c')
  const batch = laneBatch(payload, 3, 40)
  const letter = letterOf({ batch, record: 1, count: 1, problem: { code: 'too_large', message: 'Too large.' } }, 'U')
  expect(letter).toMatchObject({ count: 1, reason: 'too_large', detail: 'Too large.', id: 'U.41' })
  const reader = new BatchReader({ maxBytes: 1_000 })
  expect(reader.open(letter.payload).count).toBe(1)
  reader.next()
  expect(recordOf(reader.view)).toEqual(record('b'))
})

test('the dead letter of a record failed where a record behind it, in its batch, could not be read', () => {
  const payload = batchOf('a', 'b')
  payload[payload.length - 1] = 2 // one header in the last record, where there is none
  stampBatch(payload, { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false })
  const cursor = new Cursor(() => {
    throw new Error('no')
  })
  cursor.begin([laneBatch(payload, 2), good()])
  expect(cursor.next()).toBe(false)
  const letters = cursor.aside.map(aside => letterOf(aside, 'U'))
  expect(letters).toMatchObject([
    { count: 1, reason: 'expression', id: 'U.0' },
    { count: 1, reason: 'bad_batch', id: 'U.1', payload },
  ])
})

const partition = '{"topic":"orders","partition":3}'
const kept = (count: number, ...batches: Buffer[]): LaneBatch => ({
  ...laneBatch(Buffer.concat(batches), count, 100),
  source: partition,
})

test('A message of several record batches is read through, and each record knows its topic and its offset', () => {
  const cursor = new Cursor()
  cursor.begin([kept(3, keptAt(7, ['a', 'b'], 'zstd'), keptAt(12, ['c'])), good('d')])
  const places: unknown[] = []
  while (cursor.next()) {
    const { topic, partition, offset, value } = cursor.input
    places.push([topic, partition, offset, value])
  }
  expect(places).toEqual([
    ['orders', 3, '7', 'a'],
    ['orders', 3, '8', 'b'],
    ['orders', 3, '12', 'c'],
    [null, null, null, 'd'],
  ])
  expect(cursor).toMatchObject({ given: 4, aside: [], atEnd: true })
})

test('Of a message whose second batch is bad, only what is left is set aside', () => {
  const [first, last] = [keptAt(0, ['a', 'b']), keptAt(5, ['e'])]
  const bad = keptAt(2, ['c', 'd'])
  bad[70] = bad[70]! ^ 1
  const batch = kept(5, first, bad, last)
  const cursor = new Cursor()
  cursor.begin([batch, good('f')])
  expect(all(cursor)).toEqual(['a', 'b', 'f'])
  expect(cursor.aside).toMatchObject([{ batch, record: 2, count: 3, problem: { code: 'bad_batch' } }])
  expect(cursor.aside[0]?.problem.message).toContain('Its first 2 records were delivered')
  expect(letterOf(cursor.aside[0]!, 'U')).toMatchObject({
    payload: Buffer.concat([bad, last]),
    count: 3,
    reason: 'bad_batch',
    id: 'U.102',
    source: partition,
  })
})

test('Records that nobody announced are set aside, not forgotten', () => {
  const cursor = new Cursor()
  cursor.begin([kept(2, keptAt(0, ['a', 'b']), keptAt(2, ['c'])), good('d')])
  expect(all(cursor)).toEqual(['a', 'b', 'd'])
  expect(cursor.aside).toMatchObject([{ record: 2, count: 0, rest: keptAt(2, ['c']) }])
})

test('The dead letter of a record in a second batch has the offset that it had', () => {
  const batch = kept(4, keptAt(7, ['a', 'b']), keptAt(20, ['c', 'd'], 'snappy'))
  const letter = letterOf({ batch, record: 3, count: 1, problem: { code: 'no', message: 'No.' } }, 'U')
  const reader = new BatchReader({ maxBytes: 1_000 })
  const { baseOffset } = reader.open(letter.payload)
  expect(reader.next()).toBe(true)
  expect([baseOffset + BigInt(reader.offsetDelta), valueOf(reader.view), reader.next()]).toEqual([21n, 'd', false])
  expect(letter).toMatchObject({ id: 'U.103', source: partition })
})
