import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchError, pickRecords, type Record, recordOf, RecordSetReader, stampBatch } from '../src/index.ts'
import { plain, records, write } from './batches.ts'

const limit = { maxBytes: 1 << 20 }
const compression = fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd')

/** A batch that stands at an offset. */
function at(offset: bigint, all: readonly Record[], options = {}): Buffer {
  const batch = write(all, options)
  batch.writeBigInt64BE(offset, 0)
  return batch
}

/** What is read before the error, if there is one, and what it leaves. */
function readSet(reader: RecordSetReader, set: Buffer, count: number) {
  const read: { offset: bigint; record: Record }[] = []
  try {
    reader.open(set, count)
    while (reader.next()) read.push({ offset: reader.offset, record: recordOf(reader.view) })
    return { read }
  } catch (error) {
    if (!(error instanceof BatchError)) throw error
    return { read, code: error.code, rest: reader.rest, more: reader.next() }
  }
}

test('all records of all batches come, with their offsets, set after set', () => {
  const batches = fc.array(fc.tuple(records, compression), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(batches, { maxLength: 3 }), sets => {
      const reader = new RecordSetReader(limit)
      for (const set of sets) {
        const expected = set.flatMap(([all], i) =>
          all.map((record, delta) => ({ offset: BigInt(i * 1000 + delta), record })),
        )
        const bytes = set.map(([all, compression], i) => at(BigInt(i * 1000), all, { compression }))
        expect(readSet(reader, Buffer.concat(bytes), expected.length)).toEqual({ read: expected })
      }
    }),
  )
})

test('offsets follow the gaps that compaction leaves', () => {
  const batch = pickRecords(at(10n, ['a', 'b', 'c'].map(plain)), (_, offset) => offset !== 11n, limit)!
  const { read } = readSet(new RecordSetReader(limit), batch, 2)
  expect(read.map(({ offset }) => offset)).toEqual([10n, 12n])
})

const [a, b, c] = [at(0n, ['a1', 'a2'].map(plain)), at(2n, ['b1', 'b2'].map(plain)), at(4n, [plain('c')])]
const flipped = Buffer.from(b)
flipped[70] = flipped[70]! ^ 1
/** Its second record can't be read, which only who gets there sees. */
const spoilt = at(2n, ['b1', 'b2'].map(plain))
spoilt[spoilt.length - 9] = 100
stampBatch(spoilt, { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false })

test.each<[string, Buffer[], { count: number; read: number; code: string }]>([
  ['with a flipped bit', [flipped, c], { count: 5, read: 2, code: 'bad_crc' }],
  ['that is no batch', [Buffer.alloc(80, 0x7f), c], { count: 5, read: 2, code: 'bad_magic' }],
  ['of a length that cannot be', [Buffer.alloc(80), c], { count: 5, read: 2, code: 'malformed' }],
  ['with a bad second record', [spoilt, c], { count: 5, read: 3, code: 'malformed' }],
  ['that is cut', [b.subarray(0, -1)], { count: 4, read: 2, code: 'truncated' }],
  ['that is cut in its length', [b.subarray(0, 5)], { count: 4, read: 2, code: 'truncated' }],
  ['that has more records than were announced', [b], { count: 3, read: 2, code: 'malformed' }],
  ['that has fewer, and is the last', [b], { count: 5, read: 2, code: 'malformed' }],
  ['that nobody announced', [b], { count: 2, read: 2, code: 'malformed' }],
])(
  'of a second batch %s nothing is read but what is good, and nothing behind it',
  (_, behind, { count, read, code }) => {
    const bad = readSet(new RecordSetReader(limit), Buffer.concat([a, ...behind]), count)
    expect(bad.read).toHaveLength(read)
    expect(bad).toMatchObject({ code, rest: Buffer.concat(behind), more: false })
  },
)

test('after an error the next set is read', () => {
  const reader = new RecordSetReader(limit)
  readSet(reader, Buffer.concat([a, flipped]), 4)
  expect(readSet(reader, Buffer.concat([b, c]), 3).read).toHaveLength(3)
})

test('whatever happens to the bytes, what comes are the first records, as they were', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 2 })
  fc.assert(
    fc.property(fc.array(records, { minLength: 1, maxLength: 3 }), damage, fc.nat(), (batches, damage, cut) => {
      const all = batches.flat()
      const set = Buffer.concat(batches.map(batch => write(batch)))
      for (const [at, byte] of damage) set[at % set.length] = byte
      const reader = new RecordSetReader(limit)
      const { read } = readSet(reader, cut % 2 ? set : set.subarray(0, cut % set.length), all.length)
      expect(read.map(({ record }) => record)).toEqual(all.slice(0, read.length))
    }),
  )
})
