import { ByteReader } from './byte-reader.ts'
import type { HeaderName } from './header-name.ts'
import type { RecordView } from './record.ts'

/**
 * Walks the headers of one view after another, without allocating: `open(view)`, then `next()` for each, or
 * `find(view, name)` for the first of a name. The fields are ranges in `bytes`; a null value starts at -1.
 * Throws BatchError (`malformed`) for headers that are not well formed; a BatchReader's views always are.
 */
export class HeaderCursor {
  #reader = new ByteReader()
  #left = 0
  nameStart = 0
  nameEnd = 0
  valueStart = -1
  valueEnd = -1

  /** The buffer that the ranges are in. */
  get bytes(): Buffer {
    return this.#reader.bytes
  }

  /** Stands before the view's first header. */
  open(view: RecordView): void {
    this.#reader.open(view.headersIn, view.headersStart, view.headersEnd)
    this.#left = view.headerCount
  }

  /** Moves to the next header; false after the last one. */
  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    const reader = this.#reader
    this.nameEnd = reader.skip(false)
    this.nameStart = reader.start
    this.valueEnd = reader.skip(true)
    this.valueStart = reader.start
    return true
  }

  /** Moves to the first header of that name; false where the view has none. */
  find(view: RecordView, name: HeaderName): boolean {
    this.open(view)
    while (this.next()) if (this.isNamed(name)) return true
    return false
  }

  /** Whether the header that it stands on has this name. */
  isNamed(name: HeaderName): boolean {
    const { bytes } = name
    if (this.nameEnd - this.nameStart !== bytes.length) return false
    const within = this.#reader.bytes
    for (let i = bytes.length - 1; i >= 0; i--) if (within[this.nameStart + i] !== bytes[i]) return false
    return true
  }
}
