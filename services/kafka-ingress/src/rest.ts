/** A batch that reading begins within. */
import { BatchError, sliceBatch } from '@millrace/record'

/** A batch that has to be taken apart may come to so many bytes when it is decompressed. */
const largestBatch = 256 * 2 ** 20

/** A batch from an offset within it on, or why it can't be taken apart. */
export function restOf(batch: Buffer, offset: bigint): Buffer | BatchError | undefined {
  try {
    return sliceBatch(batch, offset, { maxBytes: largestBatch })
  } catch (error) {
    if (error instanceof BatchError) return error
    throw error
  }
}
