import { HeaderCursor } from './header-cursor.ts'
import { headerName } from './header-name.ts'
import { HeaderWriter } from './header-writer.ts'
import type { Header, Record, RecordView } from './record.ts'

const nothing = Buffer.alloc(0)

/** A view of no record: no key, no value, no headers, no timestamp. */
export function emptyView(): RecordView {
  return {
    timestamp: -1,
    keyIn: nothing,
    keyStart: -1,
    keyEnd: -1,
    valueIn: nothing,
    valueStart: -1,
    valueEnd: -1,
    headersIn: nothing,
    headersStart: 0,
    headersEnd: 0,
    headerCount: 0,
  }
}

/** Shows a record as a view: key and value where they are, its headers encoded into a buffer of their own. */
export function viewOf(record: Record, into: RecordView = emptyView()): RecordView {
  into.timestamp = record.timestamp
  into.keyIn = record.key ?? nothing
  into.keyStart = record.key === null ? -1 : 0
  into.keyEnd = record.key === null ? -1 : record.key.length
  into.valueIn = record.value ?? nothing
  into.valueStart = record.value === null ? -1 : 0
  into.valueEnd = record.value === null ? -1 : record.value.length
  const writer = new HeaderWriter()
  for (const [name, value] of record.headers) {
    writer.constant(headerName(name).encoded)
    writer.value(value ?? nothing, value === null ? -1 : 0, value === null ? -1 : value.length)
  }
  writer.into(into)
  return into
}

/** Copies a view's record out: it owns its bytes. Bytes of a header's name that are not UTF-8 are replaced. */
export function recordOf(view: RecordView): Record {
  return {
    timestamp: view.timestamp,
    key: copyOf(view.keyIn, view.keyStart, view.keyEnd),
    value: copyOf(view.valueIn, view.valueStart, view.valueEnd),
    headers: headersOf(view),
  }
}

function headersOf(view: RecordView): Header[] {
  const headers: Header[] = []
  const cursor = new HeaderCursor()
  cursor.open(view)
  while (cursor.next()) {
    const name = cursor.bytes.toString('utf8', cursor.nameStart, cursor.nameEnd)
    headers.push([name, copyOf(cursor.bytes, cursor.valueStart, cursor.valueEnd)])
  }
  return headers
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer | null {
  return start < 0 ? null : Buffer.from(bytes.subarray(start, end))
}
