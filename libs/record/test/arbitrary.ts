import * as fc from 'fast-check'
import type { Record } from '../src/index.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
const nullable = fc.option(bytes)
const name = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'mqtt.topic', 'ключ'))
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_001_000 }),
  fc.constant(-1),
  fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 1 }),
)

/** Any record that a batch can hold; lone surrogates are no UTF-8, so no name has them. */
export const record: fc.Arbitrary<Record> = fc.record({
  timestamp,
  key: nullable,
  value: nullable,
  headers: fc.array(fc.tuple(name, nullable), { maxLength: 6 }),
})

/** The records of a batch. */
export const records: fc.Arbitrary<Record[]> = fc.array(record, { minLength: 1, maxLength: 40 })
