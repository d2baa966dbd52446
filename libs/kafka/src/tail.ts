/** Looks for one batch of ours near the end of a partition's log. */
import { batchesIn, type ProducerStamp } from '@millrace/record'
import { nameOfBrokerError } from './broker-errors.ts'
import type { BrokerConnection } from './connection.ts'
import { KafkaError } from './errors.ts'
import { placeOf } from './log-batches.ts'
import { fetchLog } from './requests/fetch.ts'
import { listOffsets } from './requests/list-offsets.ts'
import type { Request } from './requests/request.ts'

const fetchBytes = 1_000_000
/** Where nothing of ours has been confirmed yet, so many offsets before the end are looked at. */
const offsetsBack = 10_000n

/** Where to look. */
export interface Place {
  topic: string
  partition: number
  /** The batch is after this offset; undefined where that is not known. */
  after: bigint | undefined
}

/**
 * The offset of the batch with that stamp; undefined if it is not in the log. Only headers are read, so it does not
 * matter how other producers compress. Throws KafkaError.
 */
export async function findInLog(
  connection: BrokerConnection,
  { topic, partition, after }: Place,
  stamp: ProducerStamp,
): Promise<bigint | undefined> {
  const name = { topic, partition }
  const { offset: end } = await sendTo(connection, listOffsets(name, { place: 'latest' }))
  const { offset: start } = await sendTo(connection, listOffsets(name, { place: 'earliest' }))
  const wanted = after ?? end - offsetsBack
  let at = wanted > start ? wanted : start
  while (at < end) {
    const { records } = await sendTo(connection, fetchLog(name, { offset: at, maxBytes: fetchBytes }))
    const before = at
    for (const batch of batchesIn(records)) {
      const { first, next } = placeOf(batch)
      if (hasStamp(batch, stamp)) return first
      at = next
    }
    if (at <= before) break
  }
  return undefined
}

/** Where format v2 keeps producer id, epoch and base sequence. */
function hasStamp(batch: Buffer, { producerId, producerEpoch, baseSequence }: ProducerStamp): boolean {
  return (
    batch[16] === 2 &&
    batch.readBigInt64BE(43) === producerId &&
    batch.readInt16BE(51) === producerEpoch &&
    batch.readInt32BE(53) === baseSequence
  )
}

async function sendTo<Answer extends { error: number }>(
  connection: BrokerConnection,
  request: Request<Answer>,
): Promise<Answer> {
  const answer = await connection.send(request)
  if (answer.error === 0) return answer
  const message = `The end of the log can't be read (${request.api.name}): ${nameOfBrokerError(answer.error)}.`
  throw new KafkaError('broker_error', message, { kafkaCode: answer.error })
}
