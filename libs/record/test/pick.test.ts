import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchReader, pickRecords, readHeader, type Record, recordOf, sliceBatch, stampBatch } from '../src/index.ts'
import { latest, plain, records, write } from './batches.ts'

const limit = { maxBytes: 1 << 20 }
const compression = fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd')
const stamp = { producerId: 7n, producerEpoch: 1, baseSequence: 3, transactional: true }

/** A batch as a broker keeps it: behind others. */
function placed(
  all: readonly Record[],
  options: { compression: ReturnType<typeof readHeader>['compression'] },
): Buffer {
  const batch = write(all, { ...options, stamp })
  batch.writeBigInt64BE(1000n, 0)
  return batch
}

/** Each record with its offset. */
function placedRecords(batch: Buffer | undefined): (readonly [bigint, Record])[] {
  if (batch === undefined) return []
  const reader = new BatchReader(limit)
  const { baseOffset } = reader.open(batch)
  const all: (readonly [bigint, Record])[] = []
  while (reader.next()) all.push([baseOffset + BigInt(reader.offsetDelta), recordOf(reader.view)])
  return all
}

test('what is picked has the offsets, timestamps and bytes that it had, and is of the same producer', () => {
  fc.assert(
    fc.property(records, fc.infiniteStream(fc.boolean()), compression, (all, choices, compression) => {
      const batch = placed(all, { compression })
      const expected = placedRecords(batch).filter(() => choices.next().value)
      const offsets = new Set(expected.map(([offset]) => offset))
      const picked = pickRecords(batch, (_, offset) => offsets.has(offset), limit)
      expect(placedRecords(picked)).toEqual(expected)
      expect(picked === batch).toBe(expected.length === all.length)
      const timestamps = expected.map(([, { timestamp }]) => timestamp)
      const header = { ...readHeader(batch), count: expected.length, maxTimestamp: latest(timestamps) }
      expect(picked && readHeader(picked)).toEqual(picked && header)
    }),
  )
})

test('a picked batch is picked from again', () => {
  const batch = placed(['a', 'b', 'c', 'd'].map(plain), { compression: 'lz4' })
  const odd = pickRecords(batch, (_, offset) => offset % 2n === 1n, limit)
  expect(placedRecords(odd && pickRecords(odd, (_, offset) => offset > 1001n, limit))).toEqual([[1003n, plain('d')]])
})

test("where the broker set the time, what is picked has the broker's", () => {
  const batch = placed(['a', 'b'].map(plain), { compression: 'none' })
  batch.writeInt16BE(0x08, 21)
  batch.writeBigInt64BE(77n, 35)
  stampBatch(batch, stamp)
  const picked = pickRecords(batch, (_, offset) => offset === 1001n, limit)
  expect(placedRecords(picked)).toEqual([[1001n, { ...plain('b'), timestamp: 77 }]])
})

test.each([
  [999n, ['a', 'b', 'c']],
  [1000n, ['a', 'b', 'c']],
  [1001n, ['b', 'c']],
  [1002n, ['c']],
  [1003n, []],
])('a batch from offset %d on', (from, expected) => {
  const batch = placed(['a', 'b', 'c'].map(plain), { compression: 'zstd' })
  const sliced = placedRecords(sliceBatch(batch, from, limit))
  expect(sliced.map(([, { value }]) => value?.toString())).toEqual(expected)
  expect(sliced.map(([offset]) => offset)).toEqual([1000n, 1001n, 1002n].slice(3 - expected.length))
})

test('a batch that is bad, or too large, is told', () => {
  const batch = placed([plain('x'.repeat(1000))], { compression: 'gzip' })
  const keep = () => true
  expect(() => pickRecords(batch, keep, { maxBytes: 100 })).toThrow(expect.objectContaining({ code: 'too_large' }))
  batch[70] = batch[70]! ^ 1
  expect(() => pickRecords(batch, keep, limit)).toThrow(expect.objectContaining({ code: 'bad_crc' }))
  expect(() => sliceBatch(batch, 1n, limit)).toThrow(expect.objectContaining({ code: 'bad_crc' }))
})
