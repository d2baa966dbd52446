import type { DeadLetter } from '@millrace/bus'
import { batchesIn, pickRecords, readHeader } from '@millrace/record'
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

/** The batch of one record, which was read before. */
function single(payload: Buffer, record: number): Buffer {
  let before = 0
  for (const batch of batchesIn(payload)) {
    const { count } = readHeader(batch)
    let at = before
    const found = record < before + count && pickRecords(batch, () => at++ === record, { maxBytes: maxBatchBytes })
    if (found) return found
    before += count
  }
  throw new RangeError(`Record ${record} of a message of ${before}.`)
}
