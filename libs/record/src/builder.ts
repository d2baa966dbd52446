import { headerBytes, noProducer, type ProducerStamp, writeHeader } from './batch-header.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Compression, compress } from './compression.ts'
import { BatchError } from './errors.ts'
import type { RecordView } from './record.ts'
import { varintSize } from './varint.ts'

/** Format v2 says lengths in 32 bits, signed. */
const maxBatchBytes = 2 ** 31 - 1
const firstBuffer = 4096

/** How to finish a batch. Without `stamp` it is no producer's (ids of -1), as on the bus. */
export interface FinishOptions {
  compression?: Compression
  stamp?: ProducerStamp
}

/**
 * Builds record batches, one after another. The records are copied as they are added, into a buffer that has room
 * for the batch's header in front, so that an uncompressed batch is finished where it stands.
 */
export class BatchBuilder {
  #to = new ByteWriter(firstBuffer, headerBytes)
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  /** Records added since the last batch. */
  get count(): number {
    return this.#count
  }

  /** The size of the batch if it were finished now, uncompressed. */
  get bytes(): number {
    return this.#to.at
  }

  /**
   * Copies the record. Throws BatchError, and the batch stays as it was: `too_large` where the batch would pass
   * 2^31 - 1 bytes, `malformed` for a timestamp that is not a safe integer (or that far from the batch's first).
   */
  add(view: RecordView): void {
    const first = this.#count === 0
    const delta = first ? 0 : view.timestamp - this.#baseTimestamp
    if (!Number.isSafeInteger(view.timestamp) || !Number.isSafeInteger(delta)) {
      throw new BatchError('malformed', `A timestamp of ${view.timestamp}.`)
    }
    const size = this.#sizeOf(view, delta)
    const needed = this.#to.at + varintSize(size) + size
    if (needed > maxBatchBytes) throw new BatchError('too_large', `A batch of ${needed} bytes; at most 2^31 - 1.`)
    this.#to.reserve(varintSize(size) + size)
    this.#write(view, size, delta)
    if (first) this.#baseTimestamp = view.timestamp
    if (first || view.timestamp > this.#maxTimestamp) this.#maxTimestamp = view.timestamp
    this.#count++
  }

  /** Drops what was added. */
  reset(): void {
    this.#to.at = headerBytes
    this.#count = 0
  }

  /**
   * The batch, which is the caller's from now on; the builder begins the next one. There must be a record: an empty
   * batch is nothing that Kafka accepts.
   */
  finish({ compression = 'none', stamp = noProducer }: FinishOptions = {}): Buffer {
    if (this.#count === 0) throw new Error('A batch without records is never built.')
    const batch = compression === 'none' ? this.#to.take() : this.#compressed(compression)
    const [count, baseTimestamp, maxTimestamp] = [this.#count, this.#baseTimestamp, this.#maxTimestamp]
    writeHeader(batch, { count, baseTimestamp, maxTimestamp, compression }, stamp)
    this.reset()
    return batch
  }

  #compressed(compression: Exclude<Compression, 'none'>): Buffer {
    const records = compress(compression, this.#to.bytes.subarray(headerBytes, this.#to.at))
    const batch = Buffer.allocUnsafeSlow(headerBytes + records.length)
    records.copy(batch, headerBytes)
    return batch
  }

  #sizeOf(view: RecordView, timestampDelta: number): number {
    const keyBytes = view.keyStart < 0 ? 0 : view.keyEnd - view.keyStart
    const valueBytes = view.valueStart < 0 ? 0 : view.valueEnd - view.valueStart
    return (
      1 +
      varintSize(timestampDelta) +
      varintSize(this.#count) +
      varintSize(keyBytes) +
      keyBytes +
      varintSize(valueBytes) +
      valueBytes +
      varintSize(view.headerCount) +
      (view.headersEnd - view.headersStart)
    )
  }

  #write(view: RecordView, size: number, timestampDelta: number): void {
    const to = this.#to
    to.varint(size)
    to.byte(0) // attributes
    to.varint(timestampDelta)
    to.varint(this.#count) // offset delta
    to.nullable(view.keyIn, view.keyStart, view.keyEnd)
    to.nullable(view.valueIn, view.valueStart, view.valueEnd)
    to.varint(view.headerCount)
    to.range(view.headersIn, view.headersStart, view.headersEnd)
  }
}
