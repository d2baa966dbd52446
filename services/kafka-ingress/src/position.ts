/** Where a partition's lane has got to, and whether the log still is the one that its position speaks of. */
import { codeOf, KafkaError, type PartitionLog, type PartitionName } from '@millrace/kafka'
import type { KafkaStart } from '@millrace/routes'
import { z } from 'zod'

const written = z.object({
  // Absent in what was written before it was kept.
  clusterId: z.string().default(''),
  topicId: z.string(),
  offset: z.string().regex(/^\d{1,19}$/),
  leaderEpoch: z.number().int(),
})

/** A place in a partition's log. */
export interface Position {
  /** The cluster's id; '' where it does not say. */
  clusterId: string
  /** The topic's id: another topic of the same name has another one; '' where the cluster has no ids. */
  topicId: string
  /** The next offset to read. */
  offset: bigint
  /** The epoch of the leader that wrote the batch before it; -1 where none was read. */
  leaderEpoch: number
}

/** What stands in `mr-position` of a lane that was given up before its source had begun. */
export const neverRead = ''

/** As it stands in `mr-position`. */
export function positionText({ clusterId, topicId, offset, leaderEpoch }: Position): string {
  return JSON.stringify({ clusterId, topicId, offset: String(offset), leaderEpoch })
}

/** From `mr-position`. Throws where that is not a position of this service. */
export function parsePosition(text: string): Position {
  const { offset, ...position } = written.parse(JSON.parse(text))
  return { ...position, offset: BigInt(offset) }
}

/** A lane's name is `<topic>/<partition>`. Throws RangeError for any other. */
export function partitionOf(lane: string): PartitionName {
  const [, topic, partition] = /^(.+)\/(\d{1,9})$/.exec(lane) ?? []
  if (topic === undefined || partition === undefined) throw new RangeError(`${lane} is no lane of a Kafka source.`)
  return { topic, partition: Number(partition) }
}

/** What a route says of the beginning of its lanes. */
export interface Beginning {
  start: KafkaStart
  group: string
  /** Called where the group has got to where a lane of ours has stored, which is not all delivered if that was lost. */
  followsOurs: () => void
}

/**
 * Where a new lane begins, as the route's `start` says. Throws KafkaError: also where its group can't be asked, for what
 * the group has read would come again.
 */
export async function startOf(
  log: Pick<PartitionLog, 'clusterId' | 'topicId' | 'offsetAt' | 'committed'>,
  { topic, partition }: PartitionName,
  { start, group, followsOurs }: Beginning,
): Promise<Position> {
  if (start === 'committed') {
    const found = await log.committed(group)
    if (found?.isOurs) followsOurs()
    return found === undefined ? await earliestOf(log) : placeIn(log, found.offset)
  }
  if (typeof start === 'string') return placeIn(log, await log.offsetAt(start))
  if ('offsets' in start) {
    const offset = start.offsets[topic]?.[partition]
    return offset === undefined ? await earliestOf(log) : placeIn(log, BigInt(offset))
  }
  // In this order: what is written between the two questions is of that time or later.
  const end = await log.offsetAt('latest')
  const offset = await log.offsetAt(start.time)
  return placeIn(log, offset < 0n ? end : offset)
}

/** Where the log begins. Throws KafkaError. */
export async function earliestOf(log: Pick<PartitionLog, 'clusterId' | 'topicId' | 'offsetAt'>): Promise<Position> {
  return placeIn(log, await log.offsetAt('earliest'))
}

function placeIn({ clusterId, topicId }: Pick<PartitionLog, 'clusterId' | 'topicId'>, offset: bigint): Position {
  return { clusterId, topicId, offset, leaderEpoch: -1 }
}

/** Records that the position counts on are not in the log any more. */
export interface Gap {
  /** What happened, for people. */
  what: string
  /** Where what is left begins. */
  next: Position
  /** How many offsets are left out; 0 where nobody can tell. */
  skipped: bigint
}

const leaderOfBefore = codeOf('FENCED_LEADER_EPOCH')

/**
 * Looks whether the log goes on where the position stands: the same topic of the same cluster, not cut below it and
 * written anew, reaching back to it and up to it. Undefined: it does. Throws KafkaError, also where who is asked led the partition only before
 * what was read last: it has not heard of the election since, and its log says nothing.
 */
export async function gapBefore(
  log: Pick<PartitionLog, 'clusterId' | 'topicId' | 'leaderEpoch' | 'range' | 'endOf'>,
  position: Position,
): Promise<Gap | undefined> {
  const { clusterId, topicId, offset, leaderEpoch } = position
  if (topicId !== '' && topicId === log.topicId && log.leaderEpoch >= 0 && log.leaderEpoch < leaderEpoch) {
    const message = `The brokers tell of a leader of epoch ${log.leaderEpoch}, and there was one of epoch ${leaderEpoch}.`
    throw new KafkaError('broker_error', message, { kafkaCode: leaderOfBefore })
  }
  const { first, end } = await log.range()
  const earliest: Position = { clusterId: log.clusterId, topicId: log.topicId, offset: first, leaderEpoch: -1 }
  if (isOther(clusterId, log.clusterId)) {
    const what = `it was read from cluster ${clusterId} up to offset ${offset}, and this is cluster ${log.clusterId}`
    return { what, next: earliest, skipped: 0n }
  }
  if (isOther(topicId, log.topicId)) {
    const what = `it was deleted and made anew; what the old one held from offset ${offset} on is gone`
    return { what, next: earliest, skipped: 0n }
  }
  if (offset < first) {
    const what = `its log begins at offset ${first}; offsets ${offset} to ${first - 1n} were deleted before they were read`
    return { what, next: earliest, skipped: first - offset }
  }
  const known = leaderEpoch < 0 ? undefined : await log.endOf(leaderEpoch)
  if (known !== undefined && known.offset < offset) {
    const cut = known.offset > first ? known.offset : first
    const what = `its log was cut at offset ${cut} and goes on with other records; it had been read up to ${offset}`
    return { what, next: { ...earliest, offset: cut }, skipped: 0n }
  }
  if (offset > end) {
    const what = `its log ends at offset ${end}, and the lane goes on at ${offset}`
    return { what, next: earliest, skipped: 0n }
  }
  return undefined
}

/** Only what both say counts. */
function isOther(known: string, found: string): boolean {
  return known !== '' && found !== '' && known !== found
}
