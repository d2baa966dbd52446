/**
 * Headers in their encoded form: `count` times varint name length, name, varint value length (-1: null), value.
 * The data path writes and reads them so, and makes no strings: names that are known beforehand are `HeaderName`s,
 * everything else is a range in somebody's buffer.
 */
import { varintSize, writeVarint } from './varint.ts'

/** A header's name, prepared once: compared by `bytes` (UTF-8), written by `encoded` (length in front). */
export interface HeaderName {
  readonly text: string
  readonly bytes: Buffer
  readonly encoded: Buffer
}

/** Prepares a name that is known beforehand. */
export function headerName(text: string): HeaderName {
  const bytes = Buffer.from(text)
  return { text, bytes, encoded: withLength(bytes) }
}

/** Prepares a whole header, for values that are known beforehand too: `HeaderWriter.header` writes it in one copy. */
export function encodeHeader(name: HeaderName, value: string | Buffer | null): Buffer {
  const encodedValue = value === null ? Buffer.of(1) : withLength(Buffer.from(value))
  return Buffer.concat([name.encoded, encodedValue])
}

function withLength(bytes: Buffer): Buffer {
  const encoded = Buffer.alloc(varintSize(bytes.length) + bytes.length)
  bytes.copy(encoded, writeVarint(encoded, 0, bytes.length))
  return encoded
}
