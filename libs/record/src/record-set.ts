import { batchSize, magicAt } from './batch-header.ts'

/**
 * The batches of a record set, as a Fetch response brings it, each a range of `buffer`; messages of older formats come
 * one by one. A last one that was cut ends it silently: its records come again with the next Fetch. Throws BatchError for a length that can't be.
 */
export function* batchesIn(buffer: Buffer): Generator<Buffer, void> {
  let at = 0
  while (buffer.length - at > magicAt) {
    const end = at + batchSize(buffer, at)
    if (end > buffer.length) return
    yield buffer.subarray(at, end)
    at = end
  }
}
