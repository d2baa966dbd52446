import {
  BatchBuilder,
  BatchReader,
  type Compression,
  type ProducerStamp,
  readHeader,
  type RecordView,
  stampBatch,
} from '@millrace/record'

/** What a record batch of ours may come to when it is taken apart again. */
const largestBatch = 2 ** 30

/**
 * One record batch on its way to one partition.
 *
 * - `new`: nobody has it, as far as we know: it may be stamped and sent.
 * - `unknown`: it was sent, and whether it is in the log is not known: the same bytes go out again (R6).
 * - `lost`: the broker can't tell from the sequence any more: the log must be read before it may be stamped anew.
 */
export interface Batch {
  readonly bytes: Buffer
  /** Of each record: which one of the delivery it is. */
  readonly indexes: readonly number[]
  state: 'new' | 'unknown' | 'lost'
  /** What it was sent with last. */
  stamp: ProducerStamp | undefined
}

/** Collects the records of one partition and cuts them into batches of at most `maxBytes`, before compression. */
export class BatchCutter {
  readonly #compression: Compression
  readonly #builder = new BatchBuilder()
  #indexes: number[] = []

  constructor(compression: Compression) {
    this.#compression = compression
  }

  /** Whether a record of about that size would still fit. The first one of a batch always does. */
  fits(bytes: number, maxBytes: number): boolean {
    return this.#builder.count === 0 || this.#builder.bytes + bytes <= maxBytes
  }

  /** Throws BatchError where the record can't be in any batch; the batch stays as it was. */
  add(view: RecordView, index: number): void {
    this.#builder.add(view)
    this.#indexes.push(index)
  }

  /** Ends the batch being built, if it has records. */
  cut(): Batch | undefined {
    if (this.#builder.count === 0) return undefined
    const indexes = this.#indexes
    this.#indexes = []
    return { bytes: this.#builder.finish({ compression: this.#compression }), indexes, state: 'new', stamp: undefined }
  }
}

/** Whether a sequence number has been given to it that the log may know. */
export function mayBeStored({ state, stamp }: Batch): boolean {
  return state !== 'new' && stamp !== undefined
}

/** Makes it this producer's, in place. */
export function stampAs(batch: Batch, stamp: ProducerStamp): void {
  stampBatch(batch.bytes, stamp)
  batch.stamp = stamp
}

/**
 * Those records of a batch, counted from 0, as a batch of its own, compressed as before unless said; undefined where
 * there are none.
 */
export function pick(
  batch: Batch,
  wanted: (record: number) => boolean,
  compression = readHeader(batch.bytes).compression,
): Batch | undefined {
  const reader = new BatchReader({ maxBytes: largestBatch })
  reader.open(batch.bytes)
  const cutter = new BatchCutter(compression)
  for (const [record, index] of batch.indexes.entries()) {
    if (reader.next() && wanted(record)) cutter.add(reader.view, index)
  }
  return cutter.cut()
}

/** The records of several batches in the order of their delivery. A view is valid until the next record. */
export function* recordsOf(batches: readonly Batch[]): Generator<{ batch: Batch; index: number; view: RecordView }> {
  const readers = new Map(batches.map(batch => [batch, new BatchReader({ maxBytes: largestBatch })]))
  for (const [batch, reader] of readers) reader.open(batch.bytes)
  const order = batches.flatMap(batch => batch.indexes.map(index => ({ batch, index })))
  for (const { batch, index } of order.sort((a, b) => a.index - b.index)) {
    const reader = readers.get(batch)
    if (reader?.next()) yield { batch, index, view: reader.view }
  }
}
