/**
 * Reads an LZ4 frame, as Kafka's clients write one for each batch:
 *
 *     magic u32 | flags u8, block size u8, [content size u64], [dictionary id u32], checksum u8 | blocks | 0 u32
 *     block: size u32, its highest bit set where the block is not compressed | data | [checksum u32]
 *
 * Integers are little-endian. The batch's crc covers all of it, so the checksums inside are stepped over. Blocks may be
 * linked, that is copy from the ones before.
 */
import { ByteReader } from './byte-reader.ts'
import { BatchError } from './errors.ts'
import { Unpacked } from './unpacked.ts'

const magic = 0x184d2204
const descriptorFlags = { version: 0xc0, blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 1 }
const versionOne = 0x40
const storedBit = 0x8000_0000
/** A length of 15 in a token goes on in the bytes that follow, and a copy has four bytes more than it says. */
const longLength = 15
const shortestCopy = 4

/** Decompresses a frame. Throws BatchError: `too_large` where more than `maxBytes` come out, `malformed`. */
export function decompressLz4(frame: Buffer, maxBytes: number): Buffer {
  const from = new ByteReader()
  from.open(frame, 0, frame.length)
  const flags = readDescriptor(from)
  const to = new Unpacked(4 * frame.length, maxBytes)
  for (let size = from.littleEndian(4); size !== 0; size = from.littleEndian(4)) {
    readBlock(from, to, size)
    if (flags & descriptorFlags.blockChecksum) from.pass(4)
  }
  if (flags & descriptorFlags.contentChecksum) from.pass(4)
  if (from.at !== frame.length) throw new BatchError('malformed', `Bytes follow an LZ4 frame at ${from.at}.`)
  return to.bytes
}

/** Steps over the descriptor and returns its flags. */
function readDescriptor(from: ByteReader): number {
  if (from.littleEndian(4) !== magic) throw new BatchError('malformed', 'LZ4 data that is no frame.')
  const flags = from.byte()
  if ((flags & descriptorFlags.version) !== versionOne || flags & descriptorFlags.dictionary) {
    throw new BatchError('malformed', `An LZ4 frame with flags ${flags}.`)
  }
  from.pass(1)
  if (flags & descriptorFlags.contentSize) from.pass(8)
  from.pass(1)
  return flags
}

function readBlock(from: ByteReader, to: Unpacked, size: number): void {
  if (size >= storedBit) {
    to.literal(from, size - storedBit)
    return
  }
  const frameEnd = from.end
  const blockEnd = from.at + size
  if (blockEnd > frameEnd) throw new BatchError('malformed', `An LZ4 block of ${size} bytes at ${from.at}.`)
  from.end = blockEnd
  readSequences(from, to)
  from.end = frameEnd
}

/** Literals and a copy, in turn; the last ones are literals. */
function readSequences(from: ByteReader, to: Unpacked): void {
  for (;;) {
    const token = from.byte()
    to.literal(from, readLength(from, token >>> 4))
    if (from.at === from.end) return
    const distance = from.byte() | (from.byte() << 8)
    to.repeat(distance, readLength(from, token & 0x0f) + shortestCopy)
  }
}

function readLength(from: ByteReader, inToken: number): number {
  if (inToken < longLength) return inToken
  let length = longLength
  for (;;) {
    const byte = from.byte()
    length += byte
    if (byte < 255) return length
  }
}
