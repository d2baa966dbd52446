/** The topics that a producer writes to, and what their metadata says. */
import type { Problem, Refusal } from '@millrace/lane'
import { nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { createTopic, type NewTopic } from './create-topic.ts'
import { topicProblem } from './problem.ts'
import type { TopicMetadata } from './requests/metadata.ts'
import { Topic, type TopicSettings } from './topic.ts'

/** Partitions are added, leaders move: metadata is read again after so many milliseconds, and at once when it is wrong. */
const maxAge = 300_000

/** What to do about a topic that the cluster does not have. */
export type MissingTopic = 'hold' | 'refuse' | { create: NewTopic }

/** What was found out about the topics in use. */
export interface Findings {
  /** Records that can never pass. */
  refusals: Refusal[]
  /** Why some others can't now. */
  problem: Problem | undefined
}

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

  /** A new epoch: sequences begin again, everywhere. */
  restartSequences(): void {
    for (const { partitions } of this.#byName.values()) for (const partition of partitions) partition.sequence = 0
  }

  /** Reads what is not known, or old, of the topics in use. Throws KafkaError. */
  async refresh(): Promise<Findings> {
    const now = performance.now()
    const unread = [...this.#used].filter(({ readAt }) => readAt === 0 || now - readAt > maxAge)
    const findings: Findings = { refusals: [], problem: undefined }
    if (unread.length === 0) return findings
    const { topics } = await this.#cluster.metadata(unread.map(({ name }) => name))
    for (const answer of topics) await this.#learn(answer, findings)
    return findings
  }

  async #learn(answer: TopicMetadata, findings: Findings): Promise<void> {
    const topic = this.use(answer.name)
    if (answer.error === 0) {
      for (const index of topic.learn(answer.leaders)) findings.refusals.push(noPartition(index, answer.name))
      return
    }
    topic.readAt = 0
    const problem = topicProblem(answer.error, answer.name)
    const isMissing = verdictOf(answer.error) === 'topic'
    if (isMissing && this.#missing === 'refuse') {
      for (const index of topic.abandon()) findings.refusals.push({ index, ...problem, code: 'no_topic' })
      this.#used.delete(topic)
      this.#byName.delete(answer.name)
      return
    }
    if (nameOfBrokerError(answer.error) === 'UNKNOWN_TOPIC_OR_PARTITION' && typeof this.#missing === 'object') {
      await createTopic(this.#cluster.settings, answer.name, this.#missing.create)
      findings.problem = { code: 'topic_created', message: `Topic ${answer.name} was created and is not ready yet.` }
      return
    }
    findings.problem = problem
  }
}

/** A record that names a partition which its topic does not have. */
export function noPartition(index: number, topic: string): Refusal {
  return { index, code: 'no_partition', message: `Topic ${topic} has no partition of the number that the route made.` }
}
