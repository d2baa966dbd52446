/** Where a Kafka source begins: the five ways of saying it. */
import { z } from 'zod'
import { findingsOf } from './finding.ts'
import { exactlyOne, oneOf, record } from './fields.ts'

/**
 * `earliest` and `latest` of each partition; what the source's group has `committed`, or the earliest where it has
 * committed nothing; the first record of this time or later (milliseconds since the epoch); or
 * an offset a partition, by topic: the next record to read. Partitions that `offsets` leaves out begin at the earliest.
 */
export type KafkaStart =
  | 'earliest'
  | 'latest'
  | 'committed'
  | { time: number }
  | { offsets: { [topic: string]: { [partition: string]: string } } }

const latestTime = 8_640_000_000_000_000

/** `2026-01-31`, `2026-01-31T12:00:00Z` (or with an offset), or milliseconds since the epoch. */
const time = z.codec(
  z.union([z.string(), z.number()], { error: 'expected a date such as 2026-01-31T12:00:00Z, or milliseconds' }),
  z.number(),
  {
    decode(written, context) {
      const value = typeof written === 'number' ? written : parseTime(written)
      if (Number.isInteger(value) && value >= 0 && value <= latestTime) return value
      const message = 'expected a date with its zone, such as 2026-01-31T12:00:00Z, or milliseconds since 1970'
      context.issues.push({ code: 'custom', input: written, message })
      return z.NEVER
    },
    encode: value => new Date(value).toISOString(),
  },
)

function parseTime(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  return isDate ? Date.parse(text) : Number.NaN
}

/** A whole number; as text above 2^53, for beyond that two numbers are one in YAML. */
const offset = z.codec(z.union([z.string(), z.number()], { error: 'expected an offset' }), z.string(), {
  decode(written, context) {
    const digits = String(written)
    const isExact = typeof written === 'string' || Number.isSafeInteger(written)
    if (isExact && /^\d{1,19}$/.test(digits) && BigInt(digits) < 2n ** 63n) return digits
    context.issues.push({ code: 'custom', input: written, message: 'expected an offset: a whole number of 0 or more' })
    return z.NEVER
  },
  encode: digits => digits,
})

const word = oneOf('earliest', 'latest', 'committed')
const given = exactlyOne({ time: time.optional(), offsets: record(record(offset)).optional() })

/** As it is written: a word, or a map of one field. No union of zod's, whose messages would not say which was meant. */
export const kafkaStart: z.ZodType<KafkaStart> = z.codec(z.unknown(), z.custom<KafkaStart>(), {
  decode(written, context) {
    const read = typeof written === 'string' ? word.safeParse(written) : given.safeParse(written)
    if (read.success) return startOf(read.data)
    for (const { message, path, code, hint } of findingsOf(read.error)) {
      context.issues.push({ code: 'custom', input: written, message, path: [...path], params: { code, hint } })
    }
    return z.NEVER
  },
  encode: start => (typeof start === 'string' ? start : z.encode(given, start)),
})

function startOf(read: z.output<typeof word> | z.output<typeof given>): KafkaStart {
  if (typeof read === 'string') return read
  return read.time === undefined ? { offsets: read.offsets ?? {} } : { time: read.time }
}
