import { ByteWriter } from './byte-writer.ts'
import type { RecordView } from './record.ts'

const nothing = Buffer.alloc(0)
/** The most bytes that a length takes. */
const lengthBytes = 5

/**
 * Builds the headers of one record after another in a buffer of its own, without allocating: `clear()`, then for each
 * header `header()`, or a name (`constant` or `name`) followed by its value (`value` or `text`), then `into(view)`.
 * The view's headers are valid until the next `clear()`.
 */
export class HeaderWriter {
  #to = new ByteWriter(1024)
  #count = 0

  /** Begins the next record's headers. */
  clear(): void {
    this.#to.at = 0
    this.#count = 0
  }

  /** A whole header from `encodeHeader`. */
  header(encoded: Buffer): void {
    this.constant(encoded)
    this.#count++
  }

  /** A name that is known beforehand, as HeaderName has it `encoded`; its value must follow. */
  constant(encoded: Buffer): void {
    this.#to.reserve(encoded.length)
    this.#to.range(encoded, 0, encoded.length)
  }

  /** A name that is a range, after a prefix; its value must follow. */
  name(from: Buffer, start: number, end: number, prefix: Buffer = nothing): void {
    const length = prefix.length + end - start
    this.#to.reserve(lengthBytes + length)
    this.#to.varint(length)
    this.#to.range(prefix, 0, prefix.length)
    this.#to.range(from, start, end)
  }

  /** A value that is a range; a start of -1 is null. */
  value(from: Buffer, start: number, end: number): void {
    this.#to.reserve(lengthBytes + end - start)
    this.#to.nullable(from, start, end)
    this.#count++
  }

  /** A value from a string, in UTF-8. */
  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.#to.reserve(lengthBytes + length)
    this.#to.varint(length)
    this.#to.at += this.#to.bytes.write(value, this.#to.at)
    this.#count++
  }

  /** All headers of another record, as they are. */
  all(view: RecordView): void {
    this.#to.reserve(view.headersEnd - view.headersStart)
    this.#to.range(view.headersIn, view.headersStart, view.headersEnd)
    this.#count += view.headerCount
  }

  /** Makes what was written the view's headers. */
  into(view: RecordView): void {
    view.headersIn = this.#to.bytes
    view.headersStart = 0
    view.headersEnd = this.#to.at
    view.headerCount = this.#count
  }
}
