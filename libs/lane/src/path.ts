/**
 * Loops at run time: a route whose source and sink speak the same protocol writes its name into what passes, and knows
 * by that what it has had before. The header `millrace.path` holds `<installation>.<route>` of each, with commas between.
 */
import { HeaderCursor, headerName, HeaderWriter, type RecordView } from '@millrace/record'
import type { Problem } from './ports.ts'

const pathHeader = headerName('millrace.path')

/** What of a route says whether it writes its name. */
export interface Passage {
  name: string
  source: { protocol: string }
  sink: { protocol: string }
  headers: string
}

/**
 * The path of what passes a route, or undefined where none is written: the route writes no headers, or leads to another
 * protocol, so that what goes there and back comes back as it was.
 */
export function pathThrough(installation: string, { name, source, sink, headers }: Passage): RoutePath | undefined {
  const isWritten = source.protocol === sink.protocol && headers !== 'none'
  return isWritten ? new RoutePath(`${installation}.${name}`) : undefined
}

/** Extends the paths of one record after another by one name. */
export class RoutePath {
  readonly #name: string
  readonly #loop: Problem
  readonly #cursor = new HeaderCursor()
  readonly #writer = new HeaderWriter()

  constructor(name: string) {
    this.#name = name
    this.#loop = {
      code: 'loop',
      message: `Route ${name} has had this record before: what it writes comes back to it. Take the topic that it writes out of what is read on the way back.`,
    }
  }

  /**
   * Writes the name behind the record's path: the view then has headers of ours, valid until the next call. Where the
   * name is in it already, the record is left as it is and can never pass: the problem says so.
   */
  extend(view: RecordView): Problem | undefined {
    const path = this.#read(view)
    if (path.includes(this.#name)) return this.#loop
    const writer = this.#writer
    writer.clear()
    if (path.length === 0) writer.all(view)
    else this.#copyOthers(view)
    writer.constant(pathHeader.encoded)
    writer.text([...path, this.#name].join(','))
    writer.into(view)
    return undefined
  }

  /** Whoever wrote the header more than once means one path. */
  #read(view: RecordView): string[] {
    const path: string[] = []
    const cursor = this.#cursor
    cursor.open(view)
    while (cursor.next()) {
      if (!cursor.isNamed(pathHeader)) continue
      path.push(...cursor.bytes.toString('utf8', Math.max(0, cursor.valueStart), cursor.valueEnd).split(','))
    }
    return path
  }

  #copyOthers(view: RecordView): void {
    const cursor = this.#cursor
    cursor.open(view)
    while (cursor.next()) {
      if (cursor.isNamed(pathHeader)) continue
      this.#writer.name(cursor.bytes, cursor.nameStart, cursor.nameEnd)
      this.#writer.value(cursor.bytes, cursor.valueStart, cursor.valueEnd)
    }
  }
}
