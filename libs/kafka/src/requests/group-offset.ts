import { readError } from './answers.ts'
import type { PartitionName } from './fetch.ts'
import { findCoordinatorOf } from './find-coordinator.ts'
import type { EpochOffset } from './list-offsets.ts'
import { apis, type Request } from './request.ts'
import { fetchOffset, type GroupOffset } from './transaction.ts'

/** What a commit says that is no member's: brokers take it where the group has no members. */
const noMember = { generation: -1, id: '' }

/** What stands beside an offset that was committed here, so that it is known for what a lane has stored. */
const ours = 'millrace'

/** Whether an offset was committed by `commitOffset`. */
export const isOurs = ({ metadata }: GroupOffset): boolean => metadata === ours

/** Asks which broker keeps a group's offsets. */
export function findGroup(group: string): Request<{ error: number; node: number }> {
  return findCoordinatorOf('group', group)
}

/** The offset that a group reads next, as `fetchOffset` gives it, from brokers of any age. */
export function committedOffset(group: string, name: PartitionName): ReturnType<typeof fetchOffset> {
  return { ...fetchOffset({ ...name, group }), api: apis.groupOffset }
}

/** Commits the offset that a group reads next, from outside of the group. Gives Kafka's error number; 0 is none. */
export function commitOffset(
  group: string,
  { topic, partition }: PartitionName,
  { offset, leaderEpoch }: EpochOffset,
): Request<number> {
  return {
    api: apis.offsetCommit,
    encode(to, version) {
      to.string(group).int32(noMember.generation).string(noMember.id)
      if (version >= 7) to.string(null) // no static member either
      to.array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int64(offset).int32(leaderEpoch).string(ours))
      })
    },
    decode(from) {
      from.int32() // throttle
      return readError(from)
    },
  }
}
