import { headerBytes, readHeader, resize } from './batch-header.ts'
import { compress } from './compression.ts'
import { BatchReader } from './reader.ts'
import type { RecordView } from './record.ts'
import type { Timestamp } from './timestamp.ts'

/** Whether a record stays. */
export type Keep = (view: RecordView, offset: bigint) => boolean

/**
 * The batch without the records that are not kept: the others have the offsets, timestamps and compression that they
 * had, and the batch is of the same producer. It is the same buffer where all are kept, undefined where none is.
 * `limit`: the most that its records may come to when decompressed. Throws BatchError, as BatchReader does.
 */
export function pickRecords(batch: Buffer, keep: Keep, limit: { maxBytes: number }): Buffer | undefined {
  const reader = new BatchReader(limit)
  const { baseOffset, count, compression } = reader.open(batch)
  const { view } = reader
  const kept: Buffer[] = []
  let maxTimestamp: Timestamp = Number.NEGATIVE_INFINITY
  for (let start = 0; reader.next(); start = view.headersEnd) {
    if (!keep(view, baseOffset + BigInt(reader.offsetDelta))) continue
    // A record ends with its headers.
    kept.push(view.headersIn.subarray(start, view.headersEnd))
    if (view.timestamp > maxTimestamp) maxTimestamp = view.timestamp
  }
  if (kept.length === count) return batch
  if (kept.length === 0) return undefined
  const picked = Buffer.concat([batch.subarray(0, headerBytes), compress(compression, Buffer.concat(kept))])
  resize(picked, kept.length, maxTimestamp)
  return picked
}

/** The batch from an offset on: as `pickRecords` has it. A batch that begins there, or later, is not looked into. */
export function sliceBatch(batch: Buffer, fromOffset: bigint, limit: { maxBytes: number }): Buffer | undefined {
  if (readHeader(batch).baseOffset >= fromOffset) return batch
  return pickRecords(batch, (_, offset) => offset >= fromOffset, limit)
}
