/** Bytes that nobody should send: each becomes records or a BatchError, never a crash, a hang or a giant buffer. */
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchError, batchesIn, readHeader, stampBatch } from '../src/index.ts'
import { oldMessage } from './old-message.ts'
import { plain, read, records, write } from './batches.ts'

const stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false }
const headerBytes = 61

/** The code of the error that reading the batch throws; undefined where it can be read. */
function codeOf(batch: Buffer): string | undefined {
  try {
    read(batch)
    return undefined
  } catch (error) {
    if (error instanceof BatchError) return error.code
    throw error
  }
}

/** A batch of these record bytes, with a header that fits and a right crc. */
function batchOf(recordBytes: Buffer, { count = 1, codec = 0 } = {}): Buffer {
  const batch = Buffer.concat([write([plain('')]).subarray(0, headerBytes), recordBytes])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(codec, 21)
  batch.writeInt32BE(Math.max(0, count - 1), 23)
  batch.writeInt32BE(count, 57)
  stampBatch(batch, stamp)
  return batch
}

test('corruption that the crc does not show is read or refused', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(records, changes, fc.boolean(), (all, changed, inHeader) => {
      const batch = write(all)
      for (const [at, byte] of changed) {
        const from = inHeader ? 21 : headerBytes
        batch[from + (at % (batch.length - from))] = byte
      }
      stampBatch(batch, stamp)
      expect([undefined, 'malformed', 'unknown_compression']).toContain(codeOf(batch))
    }),
    { numRuns: 3000 },
  )
})

test('corruption of compressed records is read or refused', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(records, changes, fc.constantFrom('gzip', 'snappy', 'lz4', 'zstd'), (all, changed, compression) => {
      const batch = write(all, { compression })
      for (const [at, byte] of changed) batch[headerBytes + (at % (batch.length - headerBytes))] = byte
      stampBatch(batch, stamp)
      expect([undefined, 'malformed', 'too_large']).toContain(codeOf(batch))
    }),
    { numRuns: 1000 },
  )
})

test('any bytes at all behind a right header and crc are read or refused', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat({ max: 7 }),
      (bytes, count, codec) => {
        const codes = [undefined, 'malformed', 'unknown_compression', 'too_large']
        expect(codes).toContain(codeOf(batchOf(Buffer.from(bytes), { count, codec })))
      },
    ),
    { numRuns: 3000 },
  )
})

test('a flipped bit is found by the crc', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.nat({ max: 7 }), (all, at, bit) => {
      const batch = write(all)
      const where = 17 + (at % (batch.length - 17))
      batch[where] = batch[where]! ^ (1 << bit)
      expect(codeOf(batch)).toBe('bad_crc')
    }),
  )
})

test('a batch that is cut anywhere is truncated, and ends a record set without a word', () => {
  fc.assert(
    fc.property(records, fc.nat(), (all, cut) => {
      const batch = write(all)
      const part = batch.subarray(0, cut % batch.length)
      expect(codeOf(part)).toBe('truncated')
      expect([...batchesIn(Buffer.concat([batch, part]))]).toEqual([batch])
    }),
  )
})

test('records that are cut before the end of the batch are malformed, with every compression', () => {
  const whole = write([plain('one'), plain('two')]).subarray(headerBytes)
  for (let cut = 0; cut < whole.length; cut++) {
    const part = whole.subarray(0, cut)
    expect(codeOf(batchOf(part, { count: 2 }))).toBe('malformed')
    expect(codeOf(batchOf(gzipSync(part), { count: 2, codec: 1 }))).toBe('malformed')
    expect(codeOf(batchOf(snappyCompress(part), { count: 2, codec: 2 }))).toBe('malformed')
    expect(codeOf(batchOf(lz4Compress(part), { count: 2, codec: 3 }))).toBe('malformed')
    expect(codeOf(batchOf(zstdCompressSync(part), { count: 2, codec: 4 }))).toBe('malformed')
  }
})

test.each([
  ['a record longer than the batch', [100, 0, 0, 0, 1, 1, 0]],
  ['a record of negative length', [3, 0, 0, 0, 1, 1, 0]],
  ['a record of 2^31 bytes', [0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 0, 1, 1, 0]],
  ['a key longer than the record', [12, 0, 0, 0, 200, 1, 1, 0]],
  ['a key of length -2', [12, 0, 0, 0, 3, 1, 0]],
  ['2^31 headers', [20, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10]],
  ['-1 headers', [12, 0, 0, 0, 1, 1, 1]],
  ['a null header name', [16, 0, 0, 0, 1, 1, 2, 1, 1]],
  ['a record longer than its fields', [14, 0, 0, 0, 1, 1, 0, 0]],
  ['a second record with the first offset', [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0], 2],
  ['an offset beyond the last', [12, 0, 0, 8, 1, 1, 0]],
  ['a negative offset', [12, 0, 0, 1, 1, 1, 0]],
  ['a timestamp of eleven bytes', [32, 0, ...Array.from({ length: 10 }, () => 0xff), 1, 0, 1, 1, 0]],
  ['more records than it says', [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0]],
  ['records, and says none', [12, 0, 0, 0, 1, 1, 0], 0],
  ['a negative count', [12, 0, 0, 0, 1, 1, 0], -1],
  ['2^31 - 1 records', [12, 0, 0, 0, 1, 1, 0], 2 ** 31 - 1],
])('a batch with %s is malformed', (_, bytes, count = 1) => {
  expect(codeOf(batchOf(Buffer.from([12, 0, 0, 0, 1, 1, 0])))).toBeUndefined()
  expect(codeOf(batchOf(Buffer.from(bytes), { count }))).toBe('malformed')
})

test('a batch that holds no records is read as none', () => {
  expect(codeOf(batchOf(Buffer.of(), { count: 0 }))).toBeUndefined()
})

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('a %s bomb is stopped at the limit', compression => {
  const large = [plain(Buffer.alloc(64 << 20))]
  const bomb = write(large, { compression })
  expect(bomb.length).toBeLessThan(4 << 20)
  const before = process.memoryUsage().arrayBuffers
  expect(() => read(bomb, 1 << 20)).toThrow(expect.objectContaining({ code: 'too_large' }))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20)
})

test('another format and another compression are told by name', () => {
  const batch = write([plain('a')])
  batch.writeInt16BE(5, 21)
  stampBatch(batch, stamp)
  expect(() => read(batch)).toThrow(/Compression 5 is not supported/)
  batch[16] = 1
  expect(codeOf(batch)).toBe('bad_magic')
})

/** Of formats 0 and 1, as kafkajs writes them: no key, the value `a`, the time 1. */
const written = [
  '00000000000000000000000f51df3a320000ffffffff0000000161',
  '000000000000000000000017d870a9d701000000000000000001ffffffff0000000161',
]

test.each([0, 1] as const)('messages of format %i are told apart, however small, and by their own crc', magic => {
  const [small, large] = [oldMessage('a', magic), oldMessage('a'.repeat(100), magic)]
  expect(small.toString('hex')).toBe(written[magic])
  const batch = write([plain('b')])
  expect([...batchesIn(Buffer.concat([small, small, batch, large, small]))]).toEqual([
    small,
    small,
    batch,
    large,
    small,
  ])
  for (let cut = 0; cut < small.length; cut++) {
    expect([...batchesIn(Buffer.concat([small, large, small.subarray(0, cut)]))]).toEqual([small, large])
  }
  expect([codeOf(small), codeOf(large)]).toEqual(['old_format', 'old_format'])
  large[large.length - 1] = 0
  expect(codeOf(large)).toBe('bad_magic')
})

test('a buffer that holds more than its batch is not taken for one', () => {
  const batch = write([plain('a')])
  expect(codeOf(Buffer.concat([batch, Buffer.alloc(1)]))).toBe('malformed')
})

test.each([-1, 0, 48, -(2 ** 31)])('a batch of length %d is malformed in a record set too', length => {
  const batch = write([plain('a')])
  batch.writeInt32BE(length, 8)
  expect(() => readHeader(batch)).toThrow(expect.objectContaining({ code: 'malformed' }))
  expect(() => [...batchesIn(batch)]).toThrow(expect.objectContaining({ code: 'malformed' }))
})
