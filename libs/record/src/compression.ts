import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { BatchError } from './errors.ts'

/** The codecs that are written and read here, by Kafka's names. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** Kafka's numbers for its codecs: the three lowest bits of a batch's attributes. */
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

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
  if (codec === 'none' || codec === 'gzip' || codec === 'zstd') return codec
  throw new BatchError('unknown_compression', `Compression ${codec ?? number} is not supported: none, gzip, zstd are.`)
}

/** Compresses the records of a batch. With `none` they are returned as they are, not copied. */
export function compress(codec: Compression, records: Buffer): Buffer {
  if (codec === 'none') return records
  return codec === 'gzip' ? gzipSync(records) : zstdCompressSync(records, zstdOptions)
}

/**
 * Decompresses the records of a batch; with `none` they are returned as they are. Throws BatchError: `too_large` where
 * more than `maxBytes` come out, `malformed` for bad data.
 */
export function decompress(codec: Compression, records: Buffer, maxBytes: number): Buffer {
  if (codec === 'none') return records
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
