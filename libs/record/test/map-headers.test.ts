import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchBuilder, BatchReader, type Header, mapHeaderValues, readHeader, recordOf, viewOf } from '../src/index.ts'

const limit = { maxBytes: 2 ** 20 }

function batchOf(records: readonly Header[][], compression: 'none' | 'zstd'): Buffer {
  const builder = new BatchBuilder()
  for (const [index, headers] of records.entries()) {
    builder.add(viewOf({ timestamp: 1_000 + index, key: Buffer.of(index), value: null, headers }))
  }
  const batch = builder.finish({ compression })
  batch.writeBigInt64BE(70n, 0)
  return batch
}

function read(batch: Buffer) {
  const reader = new BatchReader(limit)
  const records = []
  for (reader.open(batch); reader.next(); ) records.push({ ...recordOf(reader.view), offset: reader.offsetDelta })
  return records
}

const header = fc.tuple(fc.string(), fc.option(fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))))
const records = fc.array(fc.array(header, { maxLength: 4 }), { minLength: 1, maxLength: 8 })

test('only values change: offsets, times, keys, names, nulls and the compression stay', () => {
  fc.assert(
    fc.property(records, fc.constantFrom('none' as const, 'zstd' as const), (headers, compression) => {
      const batch = batchOf(headers, compression)
      const before = read(batch)
      const doubled = mapHeaderValues(
        batch,
        value => (value.length === 0 ? undefined : Buffer.concat([value, value])),
        limit,
      )
      expect(readHeader(doubled)).toEqual(readHeader(batch))
      const double = ([name, value]: Header): Header => [name, value && Buffer.concat([value, value])]
      expect(read(doubled)).toEqual(before.map(record => ({ ...record, headers: record.headers.map(double) })))
    }),
  )
})

test('where nothing changes it is the same buffer', () => {
  const batch = batchOf([[['a', Buffer.from('b')]]], 'none')
  expect(mapHeaderValues(batch, () => undefined, limit)).toBe(batch)
})

test('a batch that can not be read is a BatchError', () => {
  const batch = batchOf([[['a', Buffer.from('b')]]], 'none')
  expect(() => mapHeaderValues(batch.subarray(1), () => undefined, limit)).toThrow(
    expect.objectContaining({ name: 'BatchError' }),
  )
})
