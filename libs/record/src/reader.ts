import { type BatchHeader, headerBytes, readHeader } from './batch-header.ts'
import { ByteReader } from './byte-reader.ts'
import { decompress } from './compression.ts'
import { BatchError } from './errors.ts'
import type { RecordView } from './record.ts'
import { type Timestamp, timestampOf } from './timestamp.ts'
import { emptyView } from './view.ts'

/** A record has at least its length, attributes, two deltas, two lengths and a count. */
const smallestRecord = 7

/**
 * Reads record batches, one after another: `open(batch)`, then `next()` for each record. `view` is one object that is
 * moved on from record to record; its ranges lie in the batch, or in what it was decompressed to, so both stay valid
 * as long as somebody holds them.
 *
 * Bytes are never trusted: whatever is in them, `open` and `next` give records or throw BatchError. Each record is
 * checked whole, its headers too, before it is shown.
 */
export class BatchReader {
  /** The record that `next` moved to. */
  readonly view: RecordView = emptyView()
  /** The record's offset is the header's `baseOffset` plus this. */
  offsetDelta = -1
  readonly #maxBytes: number
  readonly #from = new ByteReader()
  #left = 0
  #lastOffsetDelta = -1
  #baseTimestamp: Timestamp = 0
  /** Where the broker set the time: the timestamp of every record. */
  #appendTime: Timestamp | undefined

  /** `maxBytes`: the most that the records of a compressed batch may come to. */
  constructor({ maxBytes }: { maxBytes: number }) {
    this.#maxBytes = maxBytes
  }

  /**
   * Stands before the first record of a buffer that holds exactly one batch, and returns the batch's header. Throws
   * BatchError; then there is no record.
   */
  open(batch: Buffer): BatchHeader {
    this.#left = 0
    const header = readHeader(batch)
    const records = decompress(header.compression, batch.subarray(headerBytes), this.#maxBytes)
    if (header.count * smallestRecord > records.length || (header.count === 0 && records.length > 0)) {
      throw new BatchError('malformed', `A batch of ${header.count} records in ${records.length} bytes.`)
    }
    this.#from.open(records, 0, records.length)
    this.#left = header.count
    this.#lastOffsetDelta = header.lastOffsetDelta
    this.offsetDelta = -1
    this.#baseTimestamp = header.baseTimestamp
    this.#appendTime = header.timestampType === 'logAppendTime' ? header.maxTimestamp : undefined
    return header
  }

  /**
   * Moves to the next record; false after the last one. Throws BatchError (`malformed`): the records before were good,
   * and no more come.
   */
  next(): boolean {
    const left = this.#left
    if (left === 0) return false
    this.#left = 0
    const from = this.#from
    const batchEnd = from.end
    const recordEnd = from.skip(false)
    from.at = from.start
    from.end = recordEnd
    this.#readRecord(from)
    if (from.at !== recordEnd) throw new BatchError('malformed', `A record is longer than its fields at ${from.at}.`)
    if (left === 1 && recordEnd !== batchEnd) throw new BatchError('malformed', 'Bytes follow the last record.')
    from.end = batchEnd
    this.#left = left - 1
    return true
  }

  /** Drops the records that are left. */
  close(): void {
    this.#left = 0
  }

  #readRecord(from: ByteReader): void {
    const { view } = this
    from.byte() // attributes: none are defined
    view.timestamp = this.#timestamp(from)
    this.offsetDelta = this.#nextOffset(from.varint())
    view.keyEnd = from.skip(true)
    view.keyStart = from.start
    view.valueEnd = from.skip(true)
    view.valueStart = from.start
    view.headerCount = from.varint()
    if (view.headerCount < 0) throw new BatchError('malformed', `${view.headerCount} headers in a record.`)
    view.headersStart = from.at
    for (let i = 0; i < view.headerCount; i++) {
      from.skip(false)
      from.skip(true)
    }
    view.headersEnd = from.at
    view.keyIn = view.valueIn = view.headersIn = from.bytes
  }

  #timestamp(from: ByteReader): Timestamp {
    const { at } = from
    const base = this.#baseTimestamp
    const delta = from.varint()
    if (this.#appendTime !== undefined) return this.#appendTime
    const timestamp = typeof base === 'number' ? base + delta : Number.NaN
    if (Number.isSafeInteger(delta) && Number.isSafeInteger(timestamp)) return timestamp
    from.at = at
    return timestampOf(BigInt(base) + from.longVarint())
  }

  /** Offsets grow; compaction leaves gaps. */
  #nextOffset(delta: number): number {
    if (delta > this.offsetDelta && delta <= this.#lastOffsetDelta) return delta
    throw new BatchError('malformed', `Offset delta ${delta} after ${this.offsetDelta}, of ${this.#lastOffsetDelta}.`)
  }
}
