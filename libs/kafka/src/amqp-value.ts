/**
 * Event Hubs hands application properties that came by AMQP to Kafka's consumers as AMQP encodes them (OASIS AMQP 1.0,
 * 1.6): `a1 03 62 61 72` is the string "bar". What Kafka's producers wrote it hands on as it is, and nothing says which
 * of the two a value is.
 *
 * So only what can't be text is taken for AMQP's, and only where it is one whole value of AMQP's. Strings, numbers of
 * four bytes or more, times and UUIDs are as good as never text; of small numbers and truth values some are, such as
 * `54 2a` (42, or "T*"), and these stay as they are: a text is never changed.
 */
import { isUtf8 } from 'node:buffer'

type Read = (bytes: Buffer) => string | number | bigint | boolean | undefined

/** Values of a fixed size, by their constructor: the size with it, and how they are read. */
const fixed: { readonly [constructor: number]: readonly [size: number, read: Read] } = {
  0x50: [2, bytes => bytes.readUInt8(1)], // ubyte
  0x51: [2, bytes => bytes.readInt8(1)], // byte
  0x52: [2, bytes => bytes.readUInt8(1)], // small uint
  0x53: [2, bytes => bytes.readUInt8(1)], // small ulong
  0x54: [2, bytes => bytes.readInt8(1)], // small int
  0x55: [2, bytes => bytes.readInt8(1)], // small long
  0x56: [2, bytes => (bytes[1]! > 1 ? undefined : bytes[1] === 1)], // boolean
  0x60: [3, bytes => bytes.readUInt16BE(1)], // ushort
  0x61: [3, bytes => bytes.readInt16BE(1)], // short
  0x70: [5, bytes => bytes.readUInt32BE(1)], // uint
  0x71: [5, bytes => bytes.readInt32BE(1)], // int
  0x72: [5, bytes => bytes.readFloatBE(1)], // float
  0x73: [5, bytes => characterOf(bytes.readUInt32BE(1))], // char
  0x80: [9, bytes => bytes.readBigUInt64BE(1)], // ulong
  0x81: [9, bytes => bytes.readBigInt64BE(1)], // long
  0x82: [9, bytes => bytes.readDoubleBE(1)], // double
  0x83: [9, bytes => bytes.readBigInt64BE(1)], // timestamp, ms since the epoch
  0x98: [17, bytes => uuidOf(bytes.toString('hex', 1))], // uuid
}

/** Binary, string and symbol, with their length in one byte or in four. */
const short = new Set([0xa0, 0xa1, 0xa3])
const long = new Set([0xb0, 0xb1, 0xb3])

/**
 * The value of an AMQP-encoded header as text (numbers decimal, times in milliseconds since the epoch), or its bytes
 * where it is binary; undefined where it is no such value, or may be text.
 */
export function amqpValue(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 2 || isText(bytes)) return undefined
  const constructor = bytes[0]!
  if (short.has(constructor)) return bytes.length === 2 + bytes[1]! ? bytes.subarray(2) : undefined
  if (long.has(constructor)) {
    return bytes.length >= 5 && bytes.length === 5 + bytes.readUInt32BE(1) ? bytes.subarray(5) : undefined
  }
  const [size, read] = fixed[constructor] ?? []
  if (read === undefined || bytes.length !== size) return undefined
  const value = read(bytes)
  return value === undefined ? undefined : Buffer.from(String(value))
}

/** UTF-8 without control characters, but for tabs and line ends. */
function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && bytes.every(byte => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d)
}

const characterOf = (code: number): string | undefined => (code > 0x10ffff ? undefined : String.fromCodePoint(code))

const uuidOf = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
