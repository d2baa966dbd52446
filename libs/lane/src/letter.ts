import type { DeadLetter } from '@millrace/bus'
import { BatchBuilder, BatchReader } from '@millrace/record'
import type { Aside } from './cursor.ts'

/**
 * The dead letter of something that was set aside: a record batch with the one record, or the lane's batch as it
 * stands where that can't be decoded. Its id is the record's number in the lane, so that a repeated one is known.
 */
export function letterOf({ batch, record, count, problem }: Aside, uid: string): DeadLetter {
  return {
    payload: problem.code === 'bad_batch' ? batch.payload : single(batch.payload, record),
    count,
    reason: problem.code,
    detail: problem.message,
    id: `${uid}.${batch.base + record}`,
    ...(batch.source === undefined ? {} : { source: batch.source }),
  }
}

function single(payload: Buffer, record: number): Buffer {
  const reader = new BatchReader({ maxBytes: 256 * 2 ** 20 })
  reader.open(payload)
  for (let at = -1; at < record; at++) reader.next()
  const builder = new BatchBuilder()
  builder.add(reader.view)
  return builder.finish()
}
