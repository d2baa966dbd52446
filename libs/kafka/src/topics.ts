/** The topics that a producer writes to, and what their metadata says. */
import type { Problem, Refusal } from '@millrace/lane'
import { codeOf, nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { createTopic, type NewTopic } from './create-topic.ts'
import { topicProblem } from './problem.ts'
import type { TopicMetadata } from './requests/metadata.ts'
import { Topic, type TopicSettings } from './topic.ts'

/** Partitions are added, leaders move: metadata is read again after so many milliseconds, and at once when it is wrong. */
const maxAge = 300_000

const leaderNotAvailable = codeOf('LEADER_NOT_AVAILABLE')

/** What to do about a topic that the cluster does not have. */
export type MissingTopic = 'hold' | 'refuse' | { create: NewTopic }

/** The topics of one producer, by name. */
export class Topics {
  readonly #cluster: Cluster
  readonly #settings: TopicSettings
  readonly #missing: MissingTopic
  readonly #byName = new Map<string, Topic>()
  /** Those of this delivery. */
  readonly #used = new Set<Topic>()

  constructor(cluster: Cluster, settings: TopicSettings, missing: MissingTopic) {
    this.#cluster = cluster
    this.#settings = settings
    this.#missing = missing
  }

  /** The topic of that name, which is in use from now until `endDelivery`. */
  use(name: string): Topic {
    let topic = this.#byName.get(name)
    if (topic === undefined) {
      topic = new Topic(name, this.#settings)
      this.#byName.set(name, topic)
    }
    this.#used.add(topic)
    return topic
  }

  get used(): Iterable<Topic> {
    return this.#used
  }

  /** Everything of this delivery is settled. */
  endDelivery(): void {
    this.#used.clear()
  }

  /** Nothing of this delivery counts: a new epoch begins without it. Why it failed, metadata may tell. */
  rollBack(): void {
    for (const topic of this.#used) {
      topic.abandon()
      topic.readAt = 0
    }
    this.#used.clear()
    this.restartSequences()
  }

  /** A new epoch: sequences begin again, everywhere. */
  restartSequences(): void {
    for (const partition of [...this.#byName.values()].flatMap(({ partitions }) => partitions)) {
      partition.sequence = 0
      partition.stale = false
    }
  }

  /**
   * Reads what is not known, or old, of the topics in use. Records that can never pass are added to `refusals`, also
   * where it then throws KafkaError; returns why some others can't pass now.
   */
  async refresh(refusals: Refusal[]): Promise<Problem | undefined> {
    const now = performance.now()
    const unread = [...this.#used].filter(({ readAt }) => readAt === 0 || now - readAt > maxAge)
    if (unread.length === 0) return undefined
    const { topics } = await this.#cluster.metadata(unread.map(({ name }) => name))
    let problem: Problem | undefined
    for (const { name } of unread) {
      const answer = topics.find(topic => topic.name === name)
      problem = (await this.#learn(answer ?? leftOut(name), refusals)) ?? problem
    }
    return problem
  }

  async #learn(answer: TopicMetadata, refusals: Refusal[]): Promise<Problem | undefined> {
    const topic = this.use(answer.name)
    const { error } = answer.leaders.length === 0 && answer.error === 0 ? leftOut(answer.name) : answer
    if (error === 0) {
      for (const index of topic.learn(answer.leaders.map(({ node }) => node)))
        refusals.push(noPartition(index, answer.name))
      return undefined
    }
    topic.readAt = 0
    const problem = topicProblem(error, answer.name)
    const isMissing = verdictOf(error) === 'topic'
    if (isMissing && this.#missing === 'refuse') {
      for (const index of topic.abandon()) refusals.push({ index, ...problem, code: 'no_topic' })
      this.#used.delete(topic)
      // One that was written to may come back as it was: its sequences go on.
      if (topic.partitions.length === 0) this.#byName.delete(answer.name)
      return undefined
    }
    if (nameOfBrokerError(error) === 'UNKNOWN_TOPIC_OR_PARTITION' && typeof this.#missing === 'object') {
      await createTopic(this.#cluster.settings, answer.name, this.#missing.create)
      return { code: 'topic_created', message: `Topic ${answer.name} was created and is not ready yet.` }
    }
    return problem
  }
}

/** A topic of which nothing is said that a record could be sent by: it holds. */
function leftOut(name: string): TopicMetadata {
  return { name, id: '', error: leaderNotAvailable, leaders: [] }
}

/** A record that names a partition which its topic does not have. */
export function noPartition(index: number, topic: string): Refusal {
  return { index, code: 'no_partition', message: `Topic ${topic} has no partition of the number that the route made.` }
}
