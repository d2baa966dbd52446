import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { BatchError } from './errors.ts'
import { decompressLz4 } from './lz4.ts'
import { decompressSnappy } from './snappy.ts'

/** Kafka's codecs in the order of their numbers: the three lowest bits of a batch's attributes. */
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** The codecs, by Kafka's names. */
export type Compression = (typeof codecs)[number]

/** Level 1: on small batches the higher ones cost twice the time for a few per cent of the size. */
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** The codec's number in a batch's attributes. */
export function codecNumber(compression: Compression): number {
  return codecs.indexOf(compression)
}

/** The codec of a batch's attributes. Throws BatchError (`unknown_compression`). */
export function codecOf(attributes: number): Compression {
  const number = attributes & 0x07
  const codec = codecs[number]
  if (codec !== undefined) return codec
  throw new BatchError('unknown_compression', `Compression ${number} is not supported: ${codecs.join(', ')} are.`)
}

/** Compresses the records of a batch, of which there must be one. With `none` they are returned as they are, not copied. */
export function compress(codec: Compression, records: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return records
    case 'gzip':
      return gzipSync(records)
    case 'snappy':
      return snappyCompress(records)
    case 'lz4':
      return lz4Compress(records)
    case 'zstd':
      return zstdCompressSync(records, zstdOptions)
  }
}

/**
 * Decompresses the records of a batch; with `none` they are returned as they are. Throws BatchError: `too_large` where
 * more than `maxBytes` come out, `malformed` for bad data.
 *
 * Snappy and LZ4 are read by our own code: the WebAssembly that writes them knows no limit, and traps on bad data.
 */
export function decompress(codec: Compression, records: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case 'none':
      return records
    case 'snappy':
      return decompressSnappy(records, maxBytes)
    case 'lz4':
      return decompressLz4(records, maxBytes)
    case 'gzip':
    case 'zstd':
      return inflate(codec, records, maxBytes)
  }
}

function inflate(codec: 'gzip' | 'zstd', records: Buffer, maxBytes: number): Buffer {
  const options = { maxOutputLength: maxBytes }
  try {
    return codec === 'gzip' ? gunzipSync(records, options) : zstdDecompressSync(records, options)
  } catch (cause) {
    if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BatchError('too_large', `A batch of more than ${maxBytes} bytes after ${codec}.`, { cause })
    }
    throw new BatchError('malformed', `The ${codec} data of a batch can't be read.`, { cause })
  }
}
