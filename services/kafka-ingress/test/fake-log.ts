/** What a fake broker's logs hold. */
import { BatchBuilder, viewOf } from '@millrace/record'
import type { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'

/** A batch of values, written by the leader of an epoch. */
interface Written {
  topic: string
  values: readonly string[]
  leaderEpoch?: number | undefined
}

/** Puts a batch at the end of a topic's only partition. */
export function putInto(broker: FakeBroker, { topic, values, leaderEpoch = -1 }: Written): Buffer {
  const [log] = broker.logs.get(topic) ?? []
  if (log === undefined) throw new Error(`no topic ${topic}`)
  const builder = new BatchBuilder()
  for (const value of values) builder.add(viewOf({ timestamp: 1, key: null, value: Buffer.from(value), headers: [] }))
  const batch = builder.finish()
  batch.writeBigInt64BE(log.end, 0)
  batch.writeInt32BE(leaderEpoch, 12)
  log.batches.push(batch)
  log.end += BigInt(values.length)
  return batch
}
