/**
 * A partition's log, read from its leader. Who leads is asked for by `locate`; every read says which topic (by id, where
 * the cluster has ids) and which leader's epoch it believes in, so a leader that was replaced, or a topic that was made
 * anew, answers with an error and never with another log's records.
 */
import { readAmqpHeaders } from './amqp-headers.ts'
import { codeOf, nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { KafkaError } from './errors.ts'
import { partitionProblem } from './problem.ts'
import { commitOffset, committedOffset, findGroup, isOurs } from './requests/group-offset.ts'
import { type Fetched, type FetchFrom, fetchLog, type Isolation, type PartitionName } from './requests/fetch.ts'
import { endOfEpoch } from './requests/leader-epoch.ts'
import { type EpochOffset, listOffsets, type LogPlace } from './requests/list-offsets.ts'
import type { Leader } from './requests/metadata.ts'
import type { Request } from './requests/request.ts'

/** About so many bytes come with one Fetch, which is what fits into one message of the bus; a larger batch comes whole. */
export const fetchBytes = 960 * 1024

/** One partition of a cluster, as a reader of that isolation sees it. */
export class PartitionLog {
  readonly isolation: Isolation
  readonly #cluster: Cluster
  readonly #name: PartitionName
  /** The topic's id; '' where the cluster has none. */
  topicId = ''
  /** The cluster's id; '' where it does not say. */
  clusterId = ''
  #leader: Leader = { node: -1, epoch: -1 }

  constructor(cluster: Cluster, name: PartitionName, isolation: Isolation) {
    this.#cluster = cluster
    this.#name = name
    this.isolation = isolation
  }

  /** The epoch of the leader that is asked; -1 where unknown. It never goes back while the topic is the same. */
  get leaderEpoch(): number {
    return this.#leader.epoch
  }

  /** Asks who leads the partition, and which topic it is of. Throws KafkaError; see `obstacleOf`. */
  async locate(): Promise<void> {
    const { topic, partition } = this.#name
    const { id, topics } = await this.#cluster.metadata([topic])
    const [found] = topics
    const error = found?.error ?? unknownTopic
    if (found === undefined || error !== 0)
      throw brokerError(error, `Topic ${topic} can't be read: ${nameOfBrokerError(error)}.`)
    const leader = found.leaders[partition]
    if (leader === undefined) throw brokerError(unknownTopic, `Topic ${topic} has no partition ${partition}.`)
    this.clusterId = id
    this.topicId = found.id
    this.#leader = leader
  }

  /** The offset of a place in the log, as this reader sees it; -1 where no record is that late. Throws KafkaError. */
  async offsetAt(place: LogPlace): Promise<bigint> {
    const { offset } = await this.#ask(listOffsets(this.#name, { place, isolation: this.isolation }))
    return offset
  }

  /** The log's first offset, and the one after its last, whoever reads. Throws KafkaError. */
  async range(): Promise<{ first: bigint; end: bigint }> {
    const { offset: first } = await this.#ask(listOffsets(this.#name, { place: 'earliest' }))
    const { offset: end } = await this.#ask(listOffsets(this.#name, { place: 'latest' }))
    return { first, end }
  }

  /**
   * Where what was written under a leader's epoch ends in the log as it is now; an offset of -1 where the log has
   * nothing of it. Undefined where the broker does not tell. Throws KafkaError.
   */
  async endOf(epoch: number): Promise<EpochOffset | undefined> {
    try {
      return await this.#ask(endOfEpoch(this.#name, { current: this.#leader.epoch, epoch }))
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'unsupported_version') return undefined
      throw error
    }
  }

  /**
   * Reads from an offset on: `fetchBytes`, unless `most` says otherwise. While the broker waits for a first record, it
   * answers nothing else that is asked of this cluster. Throws KafkaError; of a hub, BatchError.
   */
  async fetch(offset: bigint, most: Partial<Pick<FetchFrom, 'maxBytes' | 'longestWait'>> = {}): Promise<Fetched> {
    const { isolation, topicId } = this
    const what = { offset, leaderEpoch: this.#leader.epoch, isolation, maxBytes: fetchBytes, ...most }
    const fetched = await this.#ask(fetchLog({ ...this.#name, topicId }, what))
    if (!this.#cluster.settings.amqpHeaders) return fetched
    return { ...fetched, records: readAmqpHeaders(fetched.records) }
  }

  /** Commits where a group reads next, without being a member of it. Throws KafkaError. */
  async commit(group: string, next: EpochOffset): Promise<void> {
    const connection = await this.#coordinatorOf(group)
    const refused = await connection.send(commitOffset(group, this.#name, next))
    const why = nameOfBrokerError(refused)
    if (refused !== 0) throw brokerError(refused, `Group ${group} does not take the offset: ${why}.`)
  }

  /** Where a group reads next, and whether `commit` said so; undefined where it has committed nothing. Throws KafkaError. */
  async committed(group: string): Promise<{ offset: bigint; isOurs: boolean } | undefined> {
    const connection = await this.#coordinatorOf(group)
    const { error, found } = await connection.send(committedOffset(group, this.#name))
    if (error === 0) return found && { offset: found.offset, isOurs: isOurs(found) }
    throw brokerError(error, `Group ${group} does not tell its offset: ${nameOfBrokerError(error)}.`)
  }

  async #coordinatorOf(group: string): Promise<BrokerConnection> {
    const { error, node } = await this.#cluster.ask(findGroup(group))
    if (error === 0) return await this.#cluster.broker(node)
    throw brokerError(error, `Group ${group} has no coordinator now: ${nameOfBrokerError(error)}.`)
  }

  async #ask<Answer extends { error: number; throttle?: number }>(request: Request<Answer>): Promise<Answer> {
    const { topic, partition } = this.#name
    const connection = await this.#cluster.broker(this.#leader.node)
    const answer = await connection.send(request)
    connection.throttle(answer.throttle ?? 0)
    if (answer.error === 0) return answer
    throw brokerError(answer.error, partitionProblem(answer.error, topic, partition, null).message)
  }
}

const unknownTopic = codeOf('UNKNOWN_TOPIC_OR_PARTITION')

function brokerError(kafkaCode: number, message: string): KafkaError {
  return new KafkaError('broker_error', message, { kafkaCode })
}

/**
 * What stands between a reader and the log.
 * - `missing`: there is no such topic or partition now. - `outOfRange`: the log does not have that offset.
 * - `moved`: the leader has changed, or is changing: `locate` again. - `hold`: everything else that is in the way until
 *   it passes or somebody acts: no connection, no right, an error that is newer than we are.
 */
export type Obstacle = 'missing' | 'outOfRange' | 'moved' | 'hold'

/** Which it is. */
export function obstacleOf({ kafkaCode }: KafkaError): Obstacle {
  if (kafkaCode === undefined) return 'hold'
  if (nameOfBrokerError(kafkaCode) === 'OFFSET_OUT_OF_RANGE') return 'outOfRange'
  const verdict = verdictOf(kafkaCode)
  if (verdict === 'topic') return 'missing'
  return verdict === 'moved' ? 'moved' : 'hold'
}
