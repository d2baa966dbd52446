import { headerBytes, noProducer, type ProducerStamp, writeHeader } from './batch-header.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Compression, compress } from './compression.ts'
import { BatchError } from './errors.ts'
import type { RecordView } from './record.ts'
import { isTimestamp, type Timestamp, timestampDelta } from './timestamp.ts'
import { longVarintSize, varintSize } from './varint.ts'

/** Format v2 says lengths in 32 bits, signed. */
const maxBatchBytes = 2 ** 31 - 1
const firstBuffer = 4096
/** A builder lives as long as its lane: what one large record made it take is not kept. */
const keptBuffer = 4 << 20

/** How to finish a batch. Without `stamp` it is no producer's (ids of -1), as on the bus. */
export interface FinishOptions {
  compression?: Compression
  stamp?: ProducerStamp
}

/** Builds record batches, one after another. Records are copied as they are added, into one buffer that is kept. */
export class BatchBuilder {
  #to = new ByteWriter(firstBuffer)
  #count = 0
  #baseTimestamp: Timestamp = 0
  #maxTimestamp: Timestamp = 0

  /** Records added since the last batch. */
  get count(): number {
    return this.#count
  }

  /** The size of the batch if it were finished now, uncompressed. */
  get bytes(): number {
    return headerBytes + this.#to.at
  }

  /**
   * Copies the record. Throws BatchError, and the batch stays as it was: `too_large` where the batch would pass
   * 2^31 - 1 bytes, `malformed` for a timestamp that is none.
   */
  add(view: RecordView): void {
    const first = this.#count === 0
    if (!isTimestamp(view.timestamp)) throw new BatchError('malformed', `A timestamp of ${view.timestamp}.`)
    const delta = first ? 0 : timestampDelta(view.timestamp, this.#baseTimestamp)
    const size = this.#sizeOf(view, delta)
    const bytes = varintSize(size) + size
    if (this.bytes + bytes > maxBatchBytes) {
      throw new BatchError('too_large', `A record of ${size} bytes in a batch of ${this.bytes}.`)
    }
    this.#to.reserve(bytes)
    this.#write(view, size, delta)
    if (first) this.#baseTimestamp = view.timestamp
    if (first || view.timestamp > this.#maxTimestamp) this.#maxTimestamp = view.timestamp
    this.#count++
  }

  /** Drops what was added. */
  reset(): void {
    if (this.#to.bytes.length > keptBuffer) this.#to = new ByteWriter(firstBuffer)
    this.#to.at = 0
    this.#count = 0
  }

  /**
   * The batch, which is the caller's from now on; the builder begins the next one. There must be a record: an empty
   * batch is nothing that Kafka accepts.
   */
  finish({ compression = 'none', stamp = noProducer }: FinishOptions = {}): Buffer {
    if (this.#count === 0) throw new Error('A batch without records is never built.')
    const records = compress(compression, this.#to.bytes.subarray(0, this.#to.at))
    const batch = Buffer.allocUnsafeSlow(headerBytes + records.length)
    records.copy(batch, headerBytes)
    const [count, baseTimestamp, maxTimestamp] = [this.#count, this.#baseTimestamp, this.#maxTimestamp]
    writeHeader(batch, { count, baseTimestamp, maxTimestamp, compression }, stamp)
    this.reset()
    return batch
  }

  #sizeOf(view: RecordView, delta: Timestamp): number {
    const keyBytes = view.keyStart < 0 ? 0 : view.keyEnd - view.keyStart
    const valueBytes = view.valueStart < 0 ? 0 : view.valueEnd - view.valueStart
    return (
      1 +
      (typeof delta === 'number' ? varintSize(delta) : longVarintSize(delta)) +
      varintSize(this.#count) +
      varintSize(keyBytes) +
      keyBytes +
      varintSize(valueBytes) +
      valueBytes +
      varintSize(view.headerCount) +
      (view.headersEnd - view.headersStart)
    )
  }

  #write(view: RecordView, size: number, delta: Timestamp): void {
    const to = this.#to
    to.varint(size)
    to.byte(0) // attributes
    to.delta(delta)
    to.varint(this.#count) // offset delta
    to.nullable(view.keyIn, view.keyStart, view.keyEnd)
    to.nullable(view.valueIn, view.valueStart, view.valueEnd)
    to.varint(view.headerCount)
    to.range(view.headersIn, view.headersStart, view.headersEnd)
  }
}
