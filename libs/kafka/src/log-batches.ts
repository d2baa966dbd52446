/**
 * What a reader sees of a partition's log: its batches without what is Kafka's own (the markers that end transactions)
 * and, for a reader of committed records, without transactions that were aborted. Pure.
 *
 * The markers stand in the log behind the transactions that they end. So a Fetch answers with the aborted transactions
 * that it touches, each by its producer and its first offset; from there to the producer's next marker it is left out.
 */
import { BatchError, type BatchHeader, batchesIn, readHeader } from '@millrace/record'
import type { Fetched, Isolation } from './requests/fetch.ts'

/** A batch of a partition's log, or several that lie behind each other. */
export interface LogBatch {
  bytes: Buffer
  /** The offset of its first record, where that is still there. */
  first: bigint
  /** The offset after its last. */
  next: bigint
  /** The epoch of the leader that wrote it. */
  leaderEpoch: number
  /** How many records the reader is to see of it: 0 in one that is not for readers. */
  count: number
  /** Why it can't be read, where it can't: its bytes are not what was written. */
  damage?: BatchError
}

/** The batches of a Fetch, in the order of offsets. Throws BatchError where it can't be told where the next one begins. */
export function* logBatches({ records, aborted }: Fetched, isolation: Isolation): Generator<LogBatch, void> {
  const left = isolation === 'readCommitted' ? aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset)) : []
  const open = new Set<bigint>()
  for (const bytes of batchesIn(records)) {
    const batch = placeOf(bytes)
    const header = headerOf(bytes)
    if (header instanceof BatchError) {
      yield { ...batch, count: 0, damage: header }
      continue
    }
    for (; left[0] !== undefined && left[0].firstOffset < batch.next; left.shift()) open.add(left[0].producerId)
    if (header.control) open.delete(header.producerId)
    const hidden = header.control || (header.transactional && open.has(header.producerId))
    yield { ...batch, count: hidden ? 0 : header.count }
  }
}

/**
 * The same, without what ends before an offset, and batches that are all for readers in one: nothing has to be joined
 * that lies together already. One that begins before the offset stays alone.
 */
export function* logRuns(fetched: Fetched, isolation: Isolation, from: bigint): Generator<LogBatch, void> {
  let run: LogBatch | undefined
  for (const batch of logBatches(fetched, isolation)) {
    if (batch.next <= from) continue
    if (run !== undefined && run.first >= from && run.count > 0 && batch.count > 0) {
      run = { ...batch, first: run.first, count: run.count + batch.count, bytes: joined(run.bytes, batch.bytes) }
      continue
    }
    if (run !== undefined) yield run
    run = batch
  }
  if (run !== undefined) yield run
}

/** Two ranges of one buffer, the second right behind the first, as one. */
function joined(first: Buffer, { length }: Buffer): Buffer {
  return Buffer.from(first.buffer, first.byteOffset, first.length + length)
}

/**
 * What is read of a batch before anything of it is believed; a damaged one is passed by the same way. Of the formats
 * before v2 only the offset stands where it does now: it is that of the message, or of the last one in it.
 */
export function placeOf(bytes: Buffer): Omit<LogBatch, 'count'> {
  const first = bytes.readBigInt64BE(0)
  if (bytes[16] !== 2) return { bytes, first, next: first + 1n, leaderEpoch: -1 }
  const lastOffsetDelta = Math.max(0, bytes.readInt32BE(23))
  return { bytes, first, next: first + BigInt(lastOffsetDelta) + 1n, leaderEpoch: bytes.readInt32BE(12) }
}

function headerOf(bytes: Buffer): BatchHeader | BatchError {
  try {
    return readHeader(bytes)
  } catch (error) {
    if (error instanceof BatchError) return error
    throw error
  }
}
