import * as fc from 'fast-check'
import {
  BatchBuilder,
  BatchReader,
  type FinishOptions,
  type Record,
  recordOf,
  type Timestamp,
  viewOf,
} from '../src/index.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
const nullable = fc.option(bytes)
const name = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'mqtt.topic', 'ключ'))
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_001_000 }),
  fc.constant(-1),
  fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom<Timestamp>(Number.MIN_SAFE_INTEGER, -(2n ** 63n), 2n ** 53n, 2n ** 63n - 1n),
  fc.bigInt({ min: 2n ** 60n, max: 2n ** 61n }),
)

/** Any record that a batch can hold. */
export const record: fc.Arbitrary<Record> = fc.record({
  timestamp,
  key: nullable,
  value: nullable,
  headers: fc.array(fc.tuple(name, nullable), { maxLength: 6 }),
})

/** The records of a batch. */
export const records: fc.Arbitrary<Record[]> = fc.array(record, { minLength: 1, maxLength: 40 })

/** The latest of these times. */
export function latest(timestamps: readonly Timestamp[]): Timestamp | undefined {
  return timestamps.toSorted((a, b) => (a < b ? -1 : 1)).at(-1)
}

/** A record with this value and nothing else. */
export function plain(value: string | Buffer): Record {
  return { timestamp: 1_700_000_000_000, key: null, value: Buffer.from(value), headers: [] }
}

/** The records as one batch. */
export function write(all: readonly Record[], options?: FinishOptions): Buffer {
  const builder = new BatchBuilder()
  for (const one of all) builder.add(viewOf(one))
  return builder.finish(options)
}

/** All records of one batch. */
export function read(batch: Buffer, maxBytes = 1 << 20): Record[] {
  const reader = new BatchReader({ maxBytes })
  reader.open(batch)
  const all: Record[] = []
  while (reader.next()) all.push(recordOf(reader.view))
  return all
}
