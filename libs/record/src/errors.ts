/**
 * What is wrong with a batch.
 * - `truncated`: the buffer ends before the batch does.
 * - `old_format`: a whole message of format v0 or v1, as Kafka kept them before 0.11.
 * - `bad_magic`: any other format than v2.
 * - `bad_crc`: the bytes are not those that were written.
 * - `unknown_compression`: a codec that this version does not read; the message names it.
 * - `too_large`: more bytes than the reader's limit, or than format v2 can say (2^31 - 1).
 * - `malformed`: lengths, counts or timestamps that can't be.
 */
export type BatchErrorCode =
  | 'truncated'
  | 'old_format'
  | 'bad_magic'
  | 'bad_crc'
  | 'unknown_compression'
  | 'too_large'
  | 'malformed'

/** The only error that this library throws for the bytes it is given. Its message never quotes a record. */
export class BatchError extends Error {
  override readonly name = 'BatchError'
  readonly code: BatchErrorCode

  constructor(code: BatchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
