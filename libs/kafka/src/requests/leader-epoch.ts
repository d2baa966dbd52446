import { readPartition } from './answers.ts'
import type { PartitionName } from './fetch.ts'
import type { EpochOffset } from './list-offsets.ts'
import { apis, type Request } from './request.ts'

/**
 * Asks where what a leader's epoch wrote ends in the log as it is now: the last epoch that is not above the one asked
 * for, and the offset after its last record; -1 for both where the log knows no such epoch. Below an offset that was
 * read under that epoch, the log was cut since.
 *
 * @param current the epoch of the leader that is asked, as metadata told it
 */
export function endOfEpoch(
  { topic, partition }: PartitionName,
  { current, epoch }: { current: number; epoch: number },
): Request<EpochOffset & { error: number }> {
  return {
    api: apis.offsetForLeaderEpoch,
    encode(to) {
      to.int32(-1).array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int32(current).int32(epoch))
      })
    },
    decode(from) {
      from.int32() // throttle
      return readPartition(from, () => {
        const error = from.int16()
        from.int32() // partition
        return { error, leaderEpoch: from.int32(), offset: from.int64() }
      })
    },
  }
}
