/**
 * Reads snappy data in both forms that Kafka's clients write: one block (librdkafka, Go, and we), or the frame of the
 * Java library, which is a magic, two versions, and for each block its size in front (i32, big-endian).
 *
 * A block is the size of its content (varint), then elements; the two lowest bits of an element's first byte say what
 * it is: 0 bytes to take as they are, 1, 2, 3 a copy of what was before, its distance in 11, 16 or 32 bits.
 */
import { ByteReader } from './byte-reader.ts'
import { BatchError } from './errors.ts'
import { Unpacked } from './unpacked.ts'

/** No block begins like this: it would begin with a copy of nothing. */
const frameMagic = Buffer.from('\x82SNAPPY\0', 'latin1')
const versionBytes = 8
/** A literal's length up to here stands in its first byte; beyond, that says in how many bytes it follows. */
const longestInTag = 60

/** Decompresses a block or a frame. Throws BatchError: `too_large` where more than `maxBytes` come out, `malformed`. */
export function decompressSnappy(data: Buffer, maxBytes: number): Buffer {
  const from = new ByteReader()
  from.open(data, 0, data.length)
  const to = new Unpacked(4 * data.length, maxBytes)
  if (!data.subarray(0, frameMagic.length).equals(frameMagic)) {
    readBlock(from, to)
    return to.bytes
  }
  from.pass(frameMagic.length + versionBytes)
  while (from.at < data.length) {
    const size = data.length - from.at < 4 ? -1 : data.readInt32BE(from.at)
    const end = from.at + 4 + size
    if (size < 0 || end > data.length) throw new BatchError('malformed', `A snappy block of ${size} bytes.`)
    from.open(data, from.at + 4, end)
    readBlock(from, to)
  }
  return to.bytes
}

/** Up to the reader's end. */
function readBlock(from: ByteReader, to: Unpacked): void {
  const end = readSize(from) + to.length
  while (from.at < from.end) readElement(from, to)
  if (to.length !== end) throw new BatchError('malformed', `Snappy data of ${to.length} bytes that says ${end}.`)
}

function readElement(from: ByteReader, to: Unpacked): void {
  const tag = from.byte()
  const high = tag >>> 2
  switch (tag & 0x03) {
    case 0:
      return to.literal(from, 1 + (high < longestInTag ? high : from.littleEndian(high - longestInTag + 1)))
    case 1:
      return to.repeat(((tag >>> 5) << 8) | from.byte(), 4 + (high & 0x07))
    case 2:
      return to.repeat(from.byte() | (from.byte() << 8), 1 + high)
    default:
      return to.repeat(from.littleEndian(4), 1 + high)
  }
}

/** A size of at most 32 bits, seven bits a byte, lowest first. */
function readSize(from: ByteReader): number {
  let size = 0
  for (let scale = 1; scale < 2 ** 32; scale *= 128) {
    const byte = from.byte()
    size += (byte & 0x7f) * scale
    if (byte < 128) return size
  }
  throw new BatchError('malformed', 'Snappy data with a size of more than 32 bits.')
}
