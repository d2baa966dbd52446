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
/** A builder lives as long as its lane, and there are many: from batch to batch only a small buffer is kept. */
const keptBuffer = 64 << 10
/** The next batch is taken to become as large as the last one, and a little larger; but not beyond this. */
const mostExpected = 2 << 20

/** How to finish a batch. Without `stamp` it is no producer's (ids of -1), as on the bus. */
export interface FinishOptions {
  compression?: Compression
  stamp?: ProducerStamp
}

/**
 * Builds record batches, one after another. Records are copied as they are added, behind the room for the header. A large
 * buffer goes out as the batch itself; a small one is copied, and kept.
 */
export class BatchBuilder {
  #to = startingWith(firstBuffer)
  /** How many bytes the next batch may have, where no buffer was kept. */
  #expected = 0
  #count = 0
  #baseTimestamp: Timestamp = 0
  #maxTimestamp: Timestamp = 0

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
    this.#to.reserve(first ? Math.max(bytes, this.#expected) : bytes)
    this.#write(view, size, delta)
    if (first) this.#baseTimestamp = view.timestamp
    if (first || view.timestamp > this.#maxTimestamp) this.#maxTimestamp = view.timestamp
    this.#count++
  }

  /** Drops what was added. */
  reset(): void {
    if (this.#isLarge) {
      // What makes room takes twice of what it is asked for.
      this.#expected = Math.ceil(Math.min(1.1 * this.bytes, mostExpected) / 2)
      this.#to = startingWith(headerBytes)
    }
    this.#to.at = headerBytes
    this.#count = 0
  }

  /**
   * The batch, which is the caller's from now on; the builder begins the next one. There must be a record: an empty
   * batch is nothing that Kafka accepts.
   */
  finish({ compression = 'none', stamp = noProducer }: FinishOptions = {}): Buffer {
    if (this.#count === 0) throw new Error('A batch without records is never built.')
    const isFull = this.#isLarge && 2 * this.bytes >= this.#to.bytes.length
    const batch = isFull && compression === 'none' ? this.#built : this.#copy(compression)
    const [count, baseTimestamp, maxTimestamp] = [this.#count, this.#baseTimestamp, this.#maxTimestamp]
    writeHeader(batch, { count, baseTimestamp, maxTimestamp, compression }, stamp)
    this.reset()
    return batch
  }

  get #built(): Buffer {
    return this.#to.bytes.subarray(0, this.#to.at)
  }

  get #isLarge(): boolean {
    return this.#to.bytes.length > keptBuffer
  }

  #copy(compression: Compression): Buffer {
    const records = compress(compression, this.#built.subarray(headerBytes))
    const batch = Buffer.allocUnsafeSlow(headerBytes + records.length)
    records.copy(batch, headerBytes)
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

/** A writer that leaves room for the header. */
function startingWith(capacity: number): ByteWriter {
  const to = new ByteWriter(capacity)
  to.at = headerBytes
  return to
}
