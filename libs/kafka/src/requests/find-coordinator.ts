import { apis, type Request } from './request.ts'

/** How Kafka numbers what a broker keeps by name. */
const kinds = { group: 0, transaction: 1 }

/** Asks which broker keeps a group's offsets, or a transactional id. */
export function findCoordinatorOf(kind: keyof typeof kinds, name: string): Request<{ error: number; node: number }> {
  return {
    api: apis.findCoordinator,
    encode(to) {
      to.string(name).int8(kinds[kind])
    },
    decode(from) {
      from.int32() // throttle
      const error = from.int16()
      from.nullableString() // the error in words
      return { error, node: from.int32() }
    },
  }
}
