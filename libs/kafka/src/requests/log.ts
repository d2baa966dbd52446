import { apis, type Request } from './request.ts'

/** ListOffsets' own timestamps. */
const ends = { latest: -1n, earliest: -2n }
const readUncommitted = 0
const longestWait = 500

/** Where a partition's log begins (`earliest`), or the offset that its next record gets (`latest`). */
export function endOfLog(
  topic: string,
  partition: number,
  end: 'earliest' | 'latest',
): Request<{ error: number; offset: bigint }> {
  return {
    api: apis.listOffsets,
    encode(to) {
      to.int32(-1).int8(readUncommitted)
      to.array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int32(-1).int64(ends[end]))
      })
    },
    decode(from) {
      from.int32() // throttle
      const [answer] = from
        .array(() => {
          from.string()
          return from.array(() => {
            from.int32() // partition
            const error = from.int16()
            from.int64() // timestamp
            const offset = from.int64()
            from.int32() // leader's epoch
            return { error, offset }
          })
        })
        .flat()
      if (answer === undefined) throw new RangeError('No partition in the answer.')
      return answer
    },
  }
}

/** Reads a partition's log from an offset on, about `maxBytes` of it; the first batch comes whole, the last may be cut. */
export function fetchLog(
  topic: string,
  partition: number,
  { from, maxBytes }: { from: bigint; maxBytes: number },
): Request<{ error: number; records: Buffer }> {
  return {
    api: apis.fetch,
    encode(to) {
      to.int32(-1).int32(longestWait).int32(1).int32(maxBytes).int8(readUncommitted).int32(0).int32(-1)
      to.array([topic], name => {
        to.string(name).array([partition], id => to.int32(id).int32(-1).int64(from).int64(-1n).int32(maxBytes))
      })
      to.array([], () => undefined).string('') // topics to forget, rack
    },
    decode(answer) {
      answer.int32() // throttle
      const error = answer.int16()
      answer.int32() // session
      const [fetched] = answer
        .array(() => {
          answer.string()
          return answer.array(() => {
            answer.int32() // partition
            const error = answer.int16()
            answer.int64() // high watermark
            answer.int64() // last stable offset
            answer.int64() // start of the log
            answer.array(() => [answer.int64(), answer.int64()]) // aborted transactions
            answer.int32() // preferred replica
            return { error, records: answer.bytes() }
          })
        })
        .flat()
      return fetched ?? { error, records: Buffer.alloc(0) }
    },
  }
}
