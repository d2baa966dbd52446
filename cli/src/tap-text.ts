/** One record at the hops that it has passed, as text and as JSON. Pure. */
import { isUtf8 } from 'node:buffer'
import type { Record, Timestamp } from '@millrace/record'

/** A record as its lane holds it. */
interface StoredRecord extends Record {
  /** Of a record that was read from a Kafka partition: its offset there. */
  offset?: string
}

/** What a sink made of a record. */
export interface SunkRecord {
  outcome: 'delivered' | 'filtered' | 'dead'
  /** Why it is dead, or what is not sure. */
  problem?: string
  /** Where it went, and how; absent where the sink had no place for it. */
  to?: { [part: string]: string | number | boolean }
  key?: Record['key']
  headers?: Record['headers']
}

/** A record, named by its place in the lane, and what is known of it at each hop. */
export interface Tapped {
  lane: string
  /** The sequence of its message in the lane, and which of the message's records it is, from 0. */
  message: number
  record: number
  /** As the source stored it, or why that can't be shown; absent where it was shown before, or is trimmed. */
  stored?: StoredRecord | { problem: string }
  sink?: SunkRecord
}

const indent = ' '.repeat(13)

/** The record as a few lines, in which bytes are cut after so many characters. */
export function renderTapped({ lane, message, record, stored, sink }: Tapped, width: number): string {
  const blocks = [
    ...(stored === undefined ? [] : [block('stored', storedLines(stored, width))]),
    ...(sink === undefined ? [] : [block(sink.outcome, sinkLines(sink, width))]),
  ]
  return [`lane ${lane}, message ${message}, record ${record}`, ...blocks].join('\n')
}

/** The record as a JSON value: bytes are `{text}` where they are UTF-8, else `{hex}`, and whole. */
export function tappedJson({ stored, sink, ...place }: Tapped): object {
  return {
    ...place,
    ...(stored && {
      stored:
        'problem' in stored
          ? stored
          : { ...stored, ...bytesOf(stored), ...numberOf(stored), value: json(stored.value) },
    }),
    ...(sink && { sink: { ...sink, ...bytesOf(sink) } }),
  }
}

const block = (title: string, lines: readonly string[]): string =>
  lines.map((line, index) => (index === 0 ? `  ${title.padEnd(11)}` : indent) + line).join('\n')

function storedLines(stored: NonNullable<Tapped['stored']>, width: number): string[] {
  if ('problem' in stored) return [stored.problem]
  const { timestamp, offset, key, headers, value } = stored
  return [
    [timeText(timestamp), ...(offset === undefined ? [] : [`offset ${offset}`]), `key ${shown(key, width)}`].join('  '),
    ...headerLines(headers, width),
    `value ${shown(value, width)}`,
  ]
}

/** The latest that a date can be, in milliseconds. */
const latestDate = 8.64e15

/** A time beyond every date, as somebody's mistake of a unit makes it, is shown as the number that it is. */
function timeText(timestamp: Timestamp): string {
  if (timestamp < 0) return 'no time'
  return timestamp > latestDate ? `${timestamp} ms` : new Date(Number(timestamp)).toISOString()
}

function sinkLines({ to, key = null, headers = [], problem }: SunkRecord, width: number): string[] {
  const place = Object.entries(to ?? {}).map(([part, value]) => `${part} ${value}`)
  return [
    ...(to === undefined ? [] : [[...place, ...(key === null ? [] : [`key ${shown(key, width)}`])].join('  ')]),
    ...headerLines(headers, width),
    ...(problem === undefined ? [] : [problem]),
    ...(to === undefined && problem === undefined ? ['by the route’s filter'] : []),
  ]
}

const headerLines = (headers: Record['headers'], width: number): string[] =>
  headers.map(([name, value]) => `${shown(Buffer.from(name), width)}: ${shown(value, width)}`)

/** Bytes as one line: text where it is UTF-8, with control characters escaped, else hex. */
function shown(bytes: Buffer | null, width: number): string {
  if (bytes === null) return '(null)'
  if (bytes.length === 0) return '(empty)'
  const text = isUtf8(bytes)
    ? bytes.toString().replace(/\p{Cc}|\p{Zl}|\p{Zp}|\p{Cf}/gu, escaped)
    : `0x${bytes.toString('hex')}`
  return text.length <= width
    ? text
    : `${text.slice(0, width).toWellFormed()}… (${bytes.length.toLocaleString('en')} bytes)`
}

/** Whatever could move the cursor, or make text look like another, is not printed as it is. */
const escaped = (character: string): string =>
  character === '\n' ? '\\n' : character === '\t' ? '\\t' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

const bytesOf = ({ key, headers }: Pick<SunkRecord, 'key' | 'headers'>) => ({
  ...(key === undefined ? {} : { key: json(key) }),
  ...(headers && { headers: headers.map(([name, value]) => [name, json(value)]) }),
})

/** JSON's numbers are exact up to 2^53. */
const numberOf = ({ timestamp }: Pick<Record, 'timestamp'>) =>
  typeof timestamp === 'bigint' ? { timestamp: String(timestamp) } : {}

function json(bytes: Buffer | null): { text: string } | { hex: string } | null {
  if (bytes === null) return null
  return isUtf8(bytes) ? { text: bytes.toString() } : { hex: bytes.toString('hex') }
}
