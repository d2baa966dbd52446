import { headerBytes, resize } from './batch-header.ts'
import { ByteReader } from './byte-reader.ts'
import { compress } from './compression.ts'
import { HeaderCursor } from './header-cursor.ts'
import { HeaderWriter } from './header-writer.ts'
import { BatchReader } from './reader.ts'
import type { RecordView } from './record.ts'
import { varintSize, writeVarint } from './varint.ts'
import { emptyView } from './view.ts'

/** What the value of a header becomes; undefined: it stays as it is. `name` is UTF-8. */
export type MapValue = (value: Buffer, name: Buffer) => Buffer | undefined

/**
 * The batch with other values in its records' headers; all else of it is as it was: offsets, timestamps, compression,
 * producer. It is the same buffer where no value changes. `limit`: the most that its records may come to when
 * decompressed. Throws BatchError, as BatchReader does.
 */
export function mapHeaderValues(batch: Buffer, map: MapValue, limit: { maxBytes: number }): Buffer {
  const reader = new BatchReader(limit)
  const { count, compression, maxTimestamp } = reader.open(batch)
  const records: Buffer[] = []
  let changes = false
  for (let start = 0; reader.next(); start = reader.view.headersEnd) {
    const { view } = reader
    const headers = mapped(view, map)
    changes ||= headers !== undefined
    if (headers === undefined) records.push(view.headersIn.subarray(start, view.headersEnd))
    else records.push(...withHeaders(view, start, headers))
  }
  if (!changes) return batch
  const result = Buffer.concat([batch.subarray(0, headerBytes), compress(compression, Buffer.concat(records))])
  resize(result, count, maxTimestamp)
  return result
}

/** The record's headers, encoded; undefined where none changes. */
function mapped(view: RecordView, map: MapValue): Buffer | undefined {
  const cursor = new HeaderCursor()
  const writer = new HeaderWriter()
  let changes = false
  for (cursor.open(view); cursor.next(); ) {
    const { bytes, nameStart, nameEnd, valueStart, valueEnd } = cursor
    const name = bytes.subarray(nameStart, nameEnd)
    const value = valueStart < 0 ? undefined : map(bytes.subarray(valueStart, valueEnd), name)
    changes ||= value !== undefined
    writer.name(bytes, nameStart, nameEnd)
    if (value === undefined) writer.value(bytes, valueStart, valueEnd)
    else writer.value(value, 0, value.length)
  }
  if (!changes) return undefined
  const { headersIn, headersStart, headersEnd } = written(writer)
  return headersIn.subarray(headersStart, headersEnd)
}

function written(writer: HeaderWriter): RecordView {
  const view = emptyView()
  writer.into(view)
  return view
}

/** A record that begins at `start` with its length, up to its headers as it was. */
function withHeaders({ headersIn, headersStart, headersEnd }: RecordView, start: number, headers: Buffer): Buffer[] {
  const from = new ByteReader()
  from.open(headersIn, start, headersEnd)
  from.skip(false)
  const fields = headersIn.subarray(from.start, headersStart)
  const size = fields.length + headers.length
  const length = Buffer.alloc(varintSize(size))
  writeVarint(length, 0, size)
  return [length, fields, headers]
}
