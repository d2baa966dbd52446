import type { Reader } from '../wire.ts'

/** What an answer says of each partition, topic by topic. `read` reads one partition's part, but for its tags. */
export function readPartitions<Answer>(from: Reader, read: (topic: string) => Answer): Answer[] {
  const topics = from.array(() => {
    const topic = from.string()
    const partitions = from.array(() => {
      const answer = read(topic)
      from.end()
      return answer
    })
    from.end()
    return partitions
  })
  return topics.flat()
}

/** The same where one partition was asked about. Throws RangeError where the answer has none. */
export function readPartition<Answer>(from: Reader, read: () => Answer): Answer {
  const [answer] = readPartitions(from, read)
  if (answer === undefined) throw new RangeError('No partition in the answer.')
  return answer
}

/** The first error of those that an answer gives for each partition, and nothing else; 0 is none. */
export function readError(from: Reader): number {
  const errors = readPartitions(from, () => {
    from.int32() // partition
    return from.int16()
  })
  return errors.find(error => error !== 0) ?? 0
}
