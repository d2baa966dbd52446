/**
 * A record is Kafka's own model: key, value, headers, timestamp. Bytes, never parsed unless a route asks.
 *
 * It has two forms. `Record` is the plain one, for everything that is not on the data path: tests, dead letters,
 * expressions. `RecordView` is the one that the data path uses: byte ranges in somebody's buffer, in one object that
 * a reader or a mapper reuses for record after record, so that carrying a record allocates nothing.
 */

import type { Timestamp } from './timestamp.ts'

/** A header's name and value. Names may repeat and their order is kept; a value may be null (Kafka allows it). */
export type Header = readonly [name: string, value: Buffer | null]

/** One record, whole and owned by whoever holds it. */
export interface Record {
  timestamp: Timestamp
  key: Buffer | null
  value: Buffer | null
  headers: Header[]
}

/**
 * One record as ranges. A start of -1 means null (`end` is then -1 too). The headers are as format v2 encodes them,
 * `headerCount` times (varint name length, name, varint value length, value), without the count in front.
 *
 * A view is valid until its owner moves on: who keeps a record longer calls `recordOf`.
 */
export interface RecordView {
  timestamp: Timestamp
  keyIn: Buffer
  keyStart: number
  keyEnd: number
  valueIn: Buffer
  valueStart: number
  valueEnd: number
  headersIn: Buffer
  headersStart: number
  headersEnd: number
  headerCount: number
}
