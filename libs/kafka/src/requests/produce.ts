import { readPartitions } from './answers.ts'
import { apis, type Request } from './request.ts'

/** What goes into one partition: one record batch. */
export interface PartitionBatch {
  topic: string
  partition: number
  bytes: Buffer
}

/** How a broker answered one batch. */
export interface PartitionAnswer {
  topic: string
  partition: number
  /** Kafka's error number; 0 is none. */
  error: number
  /** The offset that the batch's first record got; -1 where unknown. */
  baseOffset: bigint
  /** Records that the broker named as invalid, counted from 0 in the batch; empty where it did not say. */
  invalid: number[]
  /** The broker's words, where it gave any. */
  message: string | null
}

/** The answer to a Produce request. */
export interface ProduceAnswer {
  partitions: PartitionAnswer[]
  /** Milliseconds for which the broker wants to hear no more of us. */
  throttle: number
}

/** How batches are to be stored. */
export interface ProduceHow {
  /** -1 is all in-sync replicas, 1 the leader, 0 no answer at all. */
  acks: number
  /** The milliseconds that the broker waits for its replicas. */
  timeout: number
  /** Of the transaction that they belong to, if any. */
  transactionalId: string | null
}

/** Sends batches, at most one a partition. */
export function produce(batches: readonly PartitionBatch[], how: ProduceHow): Request<ProduceAnswer> {
  const byTopic = Map.groupBy(batches, batch => batch.topic)
  return {
    api: apis.produce,
    encode(to) {
      to.string(how.transactionalId).int16(how.acks).int32(how.timeout)
      to.array([...byTopic], ([topic, partitions]) => {
        to.string(topic).array(partitions, ({ partition, bytes }) => to.int32(partition).bytes(bytes))
      })
    },
    decode(from, version) {
      const partitions = readPartitions(from, (topic): PartitionAnswer => {
        const [partition, error, baseOffset] = [from.int32(), from.int16(), from.int64()]
        from.int64() // append time
        from.int64() // start of the log
        if (version < 8) return { topic, partition, error, baseOffset, invalid: [], message: null }
        const invalid = from.array(() => ({ index: from.int32(), message: from.nullableString() }))
        const message = from.nullableString() ?? invalid[0]?.message ?? null
        return { topic, partition, error, baseOffset, invalid: invalid.map(({ index }) => index), message }
      })
      return { partitions, throttle: from.int32() }
    },
  }
}
