/** What a fake broker answers about offsets. */
import type { Reader, Writer } from '../src/wire.ts'

/** A log begins at 0, and ends where `endOf` says. */
export function answerListOffsets(from: Reader, to: Writer, endOf: (topic: string, partition: number) => bigint): void {
  from.int32()
  from.int8()
  const topics = from.array(() => ({
    topic: from.string(),
    partitions: from.array(() => ({ id: from.int32(), epoch: from.int32(), time: from.int64() })),
  }))
  to.int32(0).array(topics, ({ topic, partitions }) => {
    to.string(topic).array(partitions, ({ id, time }) => {
      const offset = time === -1n ? endOf(topic, id) : 0n
      to.int32(id).int16(0).int64(-1n).int64(offset).int32(0)
    })
  })
}

/** Every commit is taken, and forgotten. */
export function answerOffsetCommit(from: Reader, to: Writer, version: number): void {
  from.string() // group
  from.int32() // generation
  from.string() // member
  if (version >= 7) from.nullableString()
  const topics = from.array(() => ({
    topic: from.string(),
    partitions: from.array(() => {
      const id = from.int32()
      from.int64()
      from.int32()
      from.nullableString()
      return id
    }),
  }))
  to.int32(0).array(topics, ({ topic, partitions }) => {
    to.string(topic).array(partitions, id => to.int32(id).int16(0))
  })
}
