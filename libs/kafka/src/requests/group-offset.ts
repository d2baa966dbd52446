import type { PartitionName } from './fetch.ts'
import type { EpochOffset } from './list-offsets.ts'
import { apis, type Request } from './request.ts'

const groupCoordinator = 0
/** What a commit says that is no member's: brokers take it where the group has no members. */
const noMember = { generation: -1, id: '' }

/** Asks which broker keeps a group's offsets. */
export function findGroup(group: string): Request<{ error: number; node: number }> {
  return {
    api: apis.findCoordinator,
    encode(to) {
      to.string(group).int8(groupCoordinator)
    },
    decode(from) {
      from.int32() // throttle
      const error = from.int16()
      from.nullableString() // the error in words
      return { error, node: from.int32() }
    },
  }
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
        to.string(name).array([partition], id => to.int32(id).int64(offset).int32(leaderEpoch).string(''))
      })
    },
    decode(from) {
      from.int32() // throttle
      const errors = from.array(() => {
        from.string()
        return from.array(() => {
          from.int32() // partition
          return from.int16()
        })
      })
      return errors.flat().find(error => error !== 0) ?? 0
    },
  }
}
