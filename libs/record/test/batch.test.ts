import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchBuilder, BatchReader, batchesIn, readHeader, type Record, stampBatch, viewOf } from '../src/index.ts'
import { latest, plain, read, records, write } from './batches.ts'

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const time = 1_700_000_000_000
const stamp = { producerId: 4_000_000_001n, producerEpoch: 5, baseSequence: 7, transactional: true }

/** Three records, and the batch that kafkajs 2.2.4 makes of them. */
const known: Record[] = [
  {
    timestamp: time,
    key: Buffer.from('k'),
    value: Buffer.from('value'),
    headers: [['mqtt.topic', Buffer.from('a/b')]],
  },
  { timestamp: time + 300, key: null, value: Buffer.alloc(70, 'x'), headers: [] },
  {
    timestamp: time - 2,
    key: Buffer.of(),
    value: null,
    headers: [
      ['a', Buffer.from('1')],
      ['a', Buffer.of()],
    ],
  },
]
const knownBytes = Buffer.from(
  '0000000000000000000000abffffffff0299fdd41f0010000000020000018bcfe568000000018bcfe5692c00000000ee6b28010005000000' +
    '070000000336000000026b0a76616c756502146d7174742e746f70696306612f629c0100d80402018c01' +
    '78'.repeat(70) +
    '001a00030400010402610231026100',
  'hex',
)

test('a batch is, byte for byte, what another implementation makes', () => {
  expect(write(known, { stamp }).toString('hex')).toBe(knownBytes.toString('hex'))
  expect(read(knownBytes)).toEqual(known)
})

test('any records come back as they were, with every compression', () => {
  fc.assert(
    fc.property(records, fc.constantFrom(...compressions), (all, compression) => {
      const batch = write(all, { compression })
      const timestamps = all.map(({ timestamp }) => timestamp)
      expect(readHeader(batch)).toMatchObject({
        count: all.length,
        lastOffsetDelta: all.length - 1,
        baseTimestamp: timestamps[0],
        maxTimestamp: latest(timestamps),
        compression,
      })
      expect(read(batch)).toEqual(all)
    }),
  )
})

test('the size is known before a batch is finished', () => {
  fc.assert(
    fc.property(records, all => {
      const builder = new BatchBuilder()
      for (const record of all) builder.add(viewOf(record))
      const { bytes, count } = builder
      expect(builder.finish()).toHaveLength(bytes)
      expect(count).toBe(all.length)
      expect([builder.bytes, builder.count]).toEqual([61, 0])
    }),
  )
})

test('one builder and one reader serve batch after batch, and a finished batch is never touched again', () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 4 }), batchesOfRecords => {
      const builder = new BatchBuilder()
      const finished = batchesOfRecords.map(all => {
        builder.add(viewOf(plain('dropped')))
        builder.reset()
        for (const record of all) builder.add(viewOf(record))
        return builder.finish()
      })
      expect([...batchesIn(Buffer.concat(finished))].map(batch => read(batch))).toEqual(batchesOfRecords)
    }),
  )
})

test('a large record fits, and a small batch after it', () => {
  const builder = new BatchBuilder()
  const large = Buffer.alloc(5 << 20, 'x')
  builder.add(viewOf(plain(large)))
  const batch = builder.finish()
  builder.add(viewOf(plain('small')))
  expect(read(builder.finish())).toEqual([plain('small')])
  expect(read(batch)[0]?.value?.equals(large)).toBe(true)
})

test('stamping changes whose a batch is and nothing else', () => {
  fc.assert(
    fc.property(
      records,
      fc.constantFrom(...compressions),
      fc.record({
        producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
        producerEpoch: fc.integer({ min: -1, max: 2 ** 15 - 1 }),
        baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
        transactional: fc.boolean(),
      }),
      (all, compression, later) => {
        const batch = write(all, { compression, stamp })
        stampBatch(batch, later)
        expect(readHeader(batch)).toMatchObject({ ...later, compression, count: all.length })
        expect(read(batch)).toEqual(all)
        stampBatch(batch, stamp)
        expect(batch.equals(write(all, { compression, stamp }))).toBe(true)
      },
    ),
  )
})

test('offsets count on over the gaps that compaction leaves', () => {
  const batch = Buffer.from(write([plain('a'), plain('b')]))
  batch.writeInt32BE(9, 23) // last offset delta
  batch[batch.length - 5] = 9 << 1 // offset delta of the second record, before null key, "b" and no headers
  stampBatch(batch, stamp)
  const reader = new BatchReader({ maxBytes: 0 })
  expect(reader.open(batch)).toMatchObject({ lastOffsetDelta: 9, count: 2 })
  const offsets: number[] = []
  while (reader.next()) offsets.push(reader.offsetDelta)
  expect(offsets).toEqual([0, 9])
})

test("where the broker set the time, it is every record's", () => {
  const batch = write([
    { ...plain('a'), timestamp: 5 },
    { ...plain('b'), timestamp: 9 },
  ])
  batch.writeInt16BE(0x08, 21)
  batch.writeBigInt64BE(77n, 35)
  stampBatch(batch, stamp)
  expect(readHeader(batch).timestampType).toBe('logAppendTime')
  expect(read(batch).map(({ timestamp }) => timestamp)).toEqual([77, 77])
})

test('a control batch says that it is one', () => {
  const batch = write([plain('marker')])
  batch.writeInt16BE(0x30, 21)
  stampBatch(batch, stamp)
  expect(readHeader(batch)).toMatchObject({ control: true, transactional: true })
})

test('a timestamp that a batch cannot hold is refused, and the batch stays as it was', () => {
  const builder = new BatchBuilder()
  builder.add(viewOf({ ...plain('a'), timestamp: -1 }))
  for (const timestamp of [0.5, Number.NaN, 2 ** 53, 1n, 2n ** 63n]) {
    expect(() => builder.add(viewOf({ ...plain('b'), timestamp }))).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  }
  expect(read(builder.finish())).toEqual([{ ...plain('a'), timestamp: -1 }])
})

test('a batch without records is never built', () => {
  expect(() => new BatchBuilder().finish()).toThrow('without records')
})
