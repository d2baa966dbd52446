import { BatchError, batchesIn, pickRecords, readHeader, type RecordView } from '@millrace/record'
import { maxBatchBytes } from './cursor.ts'

const limit = { maxBytes: maxBatchBytes }

/** What a record takes: key, value and headers. */
export const sizeOf = (view: RecordView): number =>
  view.keyEnd - view.keyStart + (view.valueEnd - view.valueStart) + (view.headersEnd - view.headersStart)

/** How large a record may be, and whether compressed batches are looked into; else they count as they are. */
interface Most {
  bytes: number
  decompress: boolean
}

/**
 * Whole record batches without the records that are too large: those go to `refuse`, in order, and the others keep their
 * offsets. A batch without such records stays as it is; so does one that can't be read, which the lane's reader sets
 * aside.
 */
export function withoutTooLarge(
  batches: Buffer,
  most: Most,
  refuse: (view: RecordView, offset: bigint) => void,
): Buffer {
  if (batches.length <= most.bytes && !most.decompress) return batches
  const kept: Buffer[] = []
  for (const batch of batchesIn(batches)) {
    const small = smallOf(batch, most)
    if (small !== undefined) kept.push(small)
    if (small === batch) continue
    const refuseLarge = (view: RecordView, offset: bigint): boolean => {
      if (sizeOf(view) > most.bytes) refuse(view, offset)
      return false
    }
    pickRecords(batch, refuseLarge, limit)
  }
  return Buffer.concat(kept)
}

function smallOf(batch: Buffer, most: Most): Buffer | undefined {
  try {
    const whole = batch.length <= most.bytes && (!most.decompress || readHeader(batch).compression === 'none')
    return whole ? batch : pickRecords(batch, view => sizeOf(view) <= most.bytes, limit)
  } catch (error) {
    if (error instanceof BatchError) return batch
    throw error
  }
}
