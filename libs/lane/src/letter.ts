import type { DeadLetter } from '@millrace/bus'
import { BatchBuilder, BatchReader, batchesIn, type RecordView } from '@millrace/record'
import type { Aside } from './aside.ts'
import { maxBatchBytes } from './cursor.ts'

/**
 * The dead letter of something that was set aside: a record batch with the one record, at the offset that it had, or
 * what is left of the lane's message where that can't be decoded. Its id is the record's number in the lane, so that a
 * repeated one is known.
 */
export function letterOf({ batch, rest, record, count, problem }: Aside, uid: string): DeadLetter {
  return {
    payload: rest ?? single(batch.payload, record),
    count,
    reason: problem.code,
    detail: problem.message,
    id: `${uid}.${batch.base + record}`,
    ...(batch.source === undefined ? {} : { source: batch.source }),
  }
}

/** The batch of one record, which was read before; what is behind it may be such that it never can be. */
function single(payload: Buffer, record: number): Buffer {
  const reader = new BatchReader({ maxBytes: maxBatchBytes })
  let at = 0
  for (const batch of batchesIn(payload)) {
    const { baseOffset } = reader.open(batch)
    while (reader.next()) if (at++ === record) return batchOf(reader.view, baseOffset + BigInt(reader.offsetDelta))
  }
  throw new RangeError(`Record ${record} of a message of ${at}.`)
}

function batchOf(view: RecordView, offset: bigint): Buffer {
  const builder = new BatchBuilder()
  builder.add(view)
  const batch = builder.finish()
  batch.writeBigInt64BE(offset, 0)
  return batch
}
