import { apis, type Request } from './request.ts'

/** A partition of a topic. */
export interface PartitionName {
  topic: string
  /** The topic's id, where it is known: then no other topic of that name answers. */
  topicId?: string
  partition: number
}

/** What a reader may see: with `readCommitted` nothing of a transaction that has not ended yet. */
export type Isolation = 'readUncommitted' | 'readCommitted'

/** How Kafka numbers them. */
export const isolationLevels: { [isolation in Isolation]: number } = { readUncommitted: 0, readCommitted: 1 }

/** What to read of a partition's log. */
export interface FetchFrom {
  offset: bigint
  /** The epoch of the leader that is asked, as metadata told it; -1: not to be checked. */
  leaderEpoch?: number
  isolation?: Isolation
  /** About so many bytes; the first batch comes whole, the last may be cut. */
  maxBytes: number
  /** How long a broker waits for a first byte, in milliseconds; 500 unless said. */
  longestWait?: number
}

/** A transaction that was aborted: what its producer wrote from that offset on, up to the marker of its end. */
interface AbortedTransaction {
  producerId: bigint
  firstOffset: bigint
}

/** What a broker answers to a Fetch. */
export interface Fetched {
  /** Kafka's error number; 0 is none. */
  error: number
  /** Milliseconds for which the broker wants to hear no more of us. */
  throttle: number
  aborted: AbortedTransaction[]
  /** How many offsets a reader of committed records may not see yet: a transaction is open before them. */
  heldBack: bigint
  /** Record batches, the last of which may be cut. */
  records: Buffer
}

/** The first version that names topics by their ids. */
const byId = 13

/** Reads a partition's log from an offset on; waits where there is nothing yet. */
export function fetchLog({ topic, topicId = '', partition }: PartitionName, what: FetchFrom): Request<Fetched> {
  const { offset, leaderEpoch = -1, isolation = 'readUncommitted', maxBytes, longestWait = 500 } = what
  return {
    api: topicId === '' ? { ...apis.fetch, most: byId - 1 } : apis.fetch,
    encode(to, version) {
      to.int32(-1).int32(longestWait).int32(1).int32(maxBytes).int8(isolationLevels[isolation])
      if (version >= 7) to.int32(0).int32(-1) // no session
      to.array([topic], name => {
        if (version >= byId) to.uuid(topicId)
        else to.string(name)
        to.array([partition], id => {
          to.int32(id)
          if (version >= 9) to.int32(leaderEpoch)
          to.int64(offset)
          if (version >= 12) to.int32(-1) // the epoch of what was read last: asked for by OffsetForLeaderEpoch
          if (version >= 5) to.int64(-1n)
          to.int32(maxBytes).end()
        }).end()
      })
      if (version >= 7) to.array([], () => undefined) // topics to forget
      if (version >= 11) to.string('') // rack
      to.end()
    },
    decode(from, version) {
      const throttle = from.int32()
      const error = version >= 7 ? from.int16() : 0
      if (version >= 7) from.int32() // session
      const answers = from.array(() => {
        if (version >= byId) from.uuid()
        else from.string()
        const partitions = from.array(() => {
          from.int32() // partition
          const error = from.int16()
          const [highWatermark, lastStable] = [from.int64(), from.int64()]
          const heldBack = isolation === 'readCommitted' && lastStable >= 0n ? highWatermark - lastStable : 0n
          if (version >= 5) from.int64() // start of the log
          const aborted = from.array(() => {
            const transaction = { producerId: from.int64(), firstOffset: from.int64() }
            from.end()
            return transaction
          })
          if (version >= 11) from.int32() // preferred replica
          const answer = { error, throttle, aborted, heldBack, records: from.bytes() }
          from.end()
          return answer
        })
        from.end()
        return partitions
      })
      return answers.flat()[0] ?? { error, throttle, aborted: [], heldBack: 0n, records: Buffer.alloc(0) }
    },
  }
}
