/** What a transaction says to its coordinators, from its first partition to its end. */
import { readError, readPartitions } from './answers.ts'
import type { PartitionName } from './fetch.ts'
import { apis, type Request } from './request.ts'
import type { ProducerIdentity } from './transactional-id.ts'

/** Whose transaction it is. */
export interface TransactionOwner extends ProducerIdentity {
  transactionalId: string
}

/** A group's offset, and the words that were committed with it. */
export interface GroupOffset {
  offset: bigint
  /** Brokers take 4096 bytes unless set otherwise, Event Hubs 1024. */
  metadata: string
}

const none = -1

/** Takes partitions into the transaction, before anything is written to them. All of them, or none. */
export function addPartitionsToTxn(
  owner: TransactionOwner,
  partitions: readonly PartitionName[],
): Request<{ error: number; topic: string }> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  return {
    api: apis.addPartitionsToTxn,
    encode(to) {
      to.string(owner.transactionalId).int64(owner.producerId).int16(owner.producerEpoch)
      to.array([...byTopic], ([topic, those]) => {
        to.string(topic).array(those, ({ partition }) => to.int32(partition))
      })
    },
    decode(from) {
      from.int32() // throttle
      const answers = readPartitions(from, topic => {
        from.int32() // partition
        return { topic, error: from.int16() }
      })
      const refused = answers.filter(({ error }) => error !== 0)
      // Those that nothing is wrong with are "not attempted" beside one that is refused.
      return refused.find(({ error }) => error !== notAttempted) ?? refused[0] ?? { error: 0, topic: '' }
    },
  }
}

const notAttempted = 55

/** Takes a group's offsets into the transaction, before any is committed in it. */
export function addOffsetsToTxn(owner: TransactionOwner, group: string): Request<{ error: number }> {
  return {
    api: apis.addOffsetsToTxn,
    encode(to) {
      to.string(owner.transactionalId).int64(owner.producerId).int16(owner.producerEpoch).string(group)
    },
    decode: errorAfterThrottle,
  }
}

/** Writes an offset that counts once the transaction is committed. For the group's coordinator. */
export function txnOffsetCommit(
  owner: TransactionOwner,
  { group, topic, partition }: PartitionName & { group: string },
  { offset, metadata }: GroupOffset,
): Request<{ error: number }> {
  return {
    api: apis.txnOffsetCommit,
    encode(to) {
      to.string(owner.transactionalId).string(group).int64(owner.producerId).int16(owner.producerEpoch)
      to.array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int64(offset).int32(none).string(metadata))
      })
    },
    decode(from) {
      from.int32() // throttle
      return { error: readError(from) }
    },
  }
}

/** Ends the transaction: all of it counts from now on, or nothing. */
export function endTxn(owner: TransactionOwner, { commit }: { commit: boolean }): Request<{ error: number }> {
  return {
    api: apis.endTxn,
    encode(to) {
      to.string(owner.transactionalId)
        .int64(owner.producerId)
        .int16(owner.producerEpoch)
        .int8(commit ? 1 : 0)
    },
    decode: errorAfterThrottle,
  }
}

/**
 * Asks for a group's offset as it is when no transaction is open that may change it (error 88 until then). Its `found`
 * is undefined where the group has none.
 */
export function fetchOffset({
  group,
  topic,
  partition,
}: PartitionName & { group: string }): Request<{ error: number; found: GroupOffset | undefined }> {
  return {
    api: apis.offsetFetch,
    encode(to, version) {
      to.string(group).array([topic], name => {
        to.string(name)
          .array([partition], id => to.int32(id))
          .end()
      })
      if (version >= 7) to.int8(1) // none that may still be aborted
      to.end()
    },
    decode(from, version) {
      if (version >= 3) from.int32() // throttle
      const [one] = readPartitions(from, () => {
        from.int32() // partition
        const offset = from.int64()
        if (version >= 5) from.int32() // leader epoch
        const [metadata, error] = [from.string(), from.int16()]
        return { error, offset, metadata }
      })
      const groupError = version >= 2 ? from.int16() : 0
      from.end()
      const found = one === undefined || one.offset < 0n ? undefined : { offset: one.offset, metadata: one.metadata }
      return { error: groupError === 0 ? (one?.error ?? 0) : groupError, found }
    },
  }
}

function errorAfterThrottle(from: { int32(): number; int16(): number }): { error: number } {
  from.int32() // throttle
  return { error: from.int16() }
}
