import { readPartition } from './answers.ts'
import { type Isolation, isolationLevels, type PartitionName } from './fetch.ts'
import { apis, type Request } from './request.ts'

/** A place in a log: where it begins, where it ends, or its first record of a time (ms since the epoch) or later. */
export type LogPlace = 'earliest' | 'latest' | number

/** An offset and the epoch of the leader that wrote there; -1 where unknown. */
export interface EpochOffset {
  offset: bigint
  leaderEpoch: number
}

/** ListOffsets' own timestamps. */
const ends = { latest: -1n, earliest: -2n }

/**
 * Asks a partition's leader for an offset: of the log's beginning, of the record that will be written next (with
 * `readCommitted`: of the first that may still be aborted), or of a time. -1 where no record is that late.
 */
export function listOffsets(
  { topic, partition }: PartitionName,
  { place, isolation = 'readUncommitted' }: { place: LogPlace; isolation?: Isolation },
): Request<EpochOffset & { error: number }> {
  const timestamp = typeof place === 'number' ? BigInt(place) : ends[place]
  return {
    api: apis.listOffsets,
    encode(to) {
      to.int32(-1).int8(isolationLevels[isolation])
      to.array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int32(-1).int64(timestamp))
      })
    },
    decode(from) {
      from.int32() // throttle
      return readPartition(from, () => {
        from.int32() // partition
        const error = from.int16()
        from.int64() // timestamp
        return { error, offset: from.int64(), leaderEpoch: from.int32() }
      })
    },
  }
}
