import { batchesIn, BatchError, mapHeaderValues } from '@millrace/record'
import { amqpValue } from './amqp-value.ts'

/** What a batch may come to when it is decompressed. */
const largestBatch = 256 * 2 ** 20

/**
 * Record batches of a hub with their headers' values as they were meant; see `amqpValue`. The same bytes where there is
 * nothing to read. A batch that can't be read stays as it is, for whoever reads it next to complain of.
 */
export function readAmqpHeaders(records: Buffer): Buffer {
  const batches = [...batchesIn(records)]
  const read = batches.map(plain)
  return read.every((batch, index) => batch === batches[index]) ? records : Buffer.concat(read)
}

function plain(batch: Buffer): Buffer {
  try {
    return mapHeaderValues(batch, amqpValue, { maxBytes: largestBatch })
  } catch (error) {
    if (error instanceof BatchError) return batch
    throw error
  }
}
