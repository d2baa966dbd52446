/**
 * The 61 bytes in front of a batch's records (Kafka's message format v2), all big-endian:
 *
 *     0 baseOffset i64 | 8 batchLength i32, of what follows | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32
 *     21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64
 *     43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 | 57 count i32
 *
 * The crc (Castagnoli) covers everything from the attributes on, so a broker may set what is before it.
 *
 * A log that is old enough holds messages of formats v0 and v1, which begin with an offset and a length as well, and have
 * their magic at the same place:
 *
 *     0 offset i64 | 8 length i32, of what follows | 12 crc u32 (of all that follows) | 16 magic i8 | 17 attributes i8
 *     [18 timestamp i64, in v1] | key and value, each an i32 length and bytes
 */
import { crc32, crc32c } from '@node-rs/crc32'
import { codecNumber, codecOf, type Compression } from './compression.ts'
import { BatchError } from './errors.ts'
import { type Timestamp, timestampOf } from './timestamp.ts'

/** The size of a batch without records. */
export const headerBytes = 61

/** Where the length ends, and what it counts begins. */
export const lengthEnd = 12
/** Where the format's number stands. */
export const magicAt = 16
const crcAt = 17
const attributesAt = 21
const magic = 2
/** The smallest message of formats v0 and v1. */
const leastOld = [26, 34]
const oldCrcAt = 12

const logAppendTimeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20

/** Whose batch it is: what a broker checks for idempotence and fencing. */
export interface ProducerStamp {
  producerId: bigint
  producerEpoch: number
  /** Sequence number of the first record; wraps after 2^31 - 1. */
  baseSequence: number
  /** Whether the batch is part of a transaction. */
  transactional: boolean
}

/** A batch that no producer numbers. */
export const noProducer: ProducerStamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false }

/** A batch's header. Ids and offsets are as on the wire. */
export interface BatchHeader extends ProducerStamp {
  baseOffset: bigint
  /** The offset of the last record is `baseOffset + lastOffsetDelta`. */
  lastOffsetDelta: number
  baseTimestamp: Timestamp
  maxTimestamp: Timestamp
  count: number
  compression: Compression
  /** With `logAppendTime` each record's timestamp is `maxTimestamp`. */
  timestampType: 'createTime' | 'logAppendTime'
  /** A control batch marks the end of a transaction: its records are not a user's. */
  control: boolean
}

/** What the builder knows when it closes a batch. */
interface Contents {
  count: number
  baseTimestamp: Timestamp
  maxTimestamp: Timestamp
  compression: Compression
}

/** Writes the header in front of the records that `batch` already holds, and its crc. */
export function writeHeader(batch: Buffer, contents: Contents, stamp: ProducerStamp): void {
  batch.fill(0, 0, lengthEnd - 4)
  batch.writeInt32BE(batch.length - lengthEnd, 8)
  batch.writeInt32BE(-1, 12)
  batch[magicAt] = magic
  batch.writeInt16BE(codecNumber(contents.compression), attributesAt)
  batch.writeInt32BE(contents.count - 1, 23)
  batch.writeBigInt64BE(BigInt(contents.baseTimestamp), 27)
  batch.writeBigInt64BE(BigInt(contents.maxTimestamp), 35)
  batch.writeInt32BE(contents.count, 57)
  stampBatch(batch, stamp)
}

/** Makes a finished batch this producer's, in place: only the stamp and the crc change. */
export function stampBatch(batch: Buffer, stamp: ProducerStamp): void {
  const attributes = batch.readInt16BE(attributesAt)
  batch.writeInt16BE(stamp.transactional ? attributes | transactionalBit : attributes & ~transactionalBit, attributesAt)
  batch.writeBigInt64BE(stamp.producerId, 43)
  batch.writeInt16BE(stamp.producerEpoch, 51)
  batch.writeInt32BE(stamp.baseSequence, 53)
  seal(batch)
}

/** Makes the header that a batch has taken from another one that of its own records: fewer, and not as many bytes. */
export function resize(batch: Buffer, count: number, maxTimestamp: Timestamp): void {
  batch.writeInt32BE(batch.length - lengthEnd, 8)
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35)
  batch.writeInt32BE(count, 57)
  seal(batch)
}

function seal(batch: Buffer): void {
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt)
}

/**
 * Reads the header of a buffer that holds one batch, and checks its length, magic, crc and what can be checked
 * without the records. Throws BatchError.
 */
export function readHeader(batch: Buffer): BatchHeader {
  checkFrame(batch)
  const attributes = batch.readInt16BE(attributesAt)
  const count = batch.readInt32BE(57)
  const lastOffsetDelta = batch.readInt32BE(23)
  if (count < 0 || lastOffsetDelta < 0) {
    throw new BatchError('malformed', `A batch of ${count} records with last offset delta ${lastOffsetDelta}.`)
  }
  return {
    baseOffset: batch.readBigInt64BE(0),
    lastOffsetDelta,
    baseTimestamp: timestampOf(batch.readBigInt64BE(27)),
    maxTimestamp: timestampOf(batch.readBigInt64BE(35)),
    producerId: batch.readBigInt64BE(43),
    producerEpoch: batch.readInt16BE(51),
    baseSequence: batch.readInt32BE(53),
    count,
    compression: codecOf(attributes),
    timestampType: attributes & logAppendTimeBit ? 'logAppendTime' : 'createTime',
    transactional: (attributes & transactionalBit) !== 0,
    control: (attributes & controlBit) !== 0,
  }
}

function checkFrame(batch: Buffer): void {
  if (batch.length > magicAt && batch[magicAt] !== magic) throw otherFormat(batch, batch[magicAt])
  if (batch.length < headerBytes) throw new BatchError('truncated', `A batch of ${batch.length} bytes.`)
  const size = batchSize(batch, 0)
  if (batch.length < size) throw new BatchError('truncated', `${batch.length} bytes of a batch of ${size}.`)
  if (batch.length > size) throw new BatchError('malformed', `${batch.length - size} bytes follow a batch of ${size}.`)
  if (crc32c(batch.subarray(attributesAt)) !== batch.readUInt32BE(crcAt)) {
    throw new BatchError('bad_crc', `The crc of a batch of ${size} bytes does not match.`)
  }
}

/** Which of them it is, its own crc says. */
function otherFormat(bytes: Buffer, format: number | undefined): BatchError {
  const isOld = format !== undefined && format < leastOld.length
  if (isOld && crc32(bytes.subarray(magicAt)) === bytes.readUInt32BE(oldCrcAt))
    return new BatchError('old_format', `A message of format ${format}, from before Kafka 0.11; only format 2 is read.`)
  return new BatchError('bad_magic', `Message format ${format}, not 2.`)
}

/**
 * The size of the batch, or of the message of an older format, that begins at `at`, where 12 bytes of it are there. Throws
 * BatchError, `malformed`.
 */
export function batchSize(buffer: Buffer, at: number): number {
  const size = lengthEnd + buffer.readInt32BE(at + 8)
  if (size >= (leastOld[buffer[at + magicAt] ?? magic] ?? headerBytes)) return size
  throw new BatchError('malformed', `A batch that says it has ${size} bytes.`)
}
