/** Writing to a topic as its users do. */
import { type Admin, type ITopicConfig, Kafka, logLevel, type Message } from 'kafkajs'

/** What a client of a test writes with. */
export class Producing {
  readonly client: Kafka

  constructor(brokers: string[]) {
    this.client = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  }

  /** Writes to a partition of a topic, in one batch. */
  async send(topic: string, values: readonly (string | Message)[], partition = 0): Promise<void> {
    const producer = this.client.producer()
    await producer.connect()
    const messages = values.map(value => ({ partition, ...(typeof value === 'string' ? { value } : value) }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  /** Writes transactions that end so, one after another, each a batch. */
  async transactions(topic: string, ...all: readonly ['commit' | 'abort', ...string[]][]): Promise<void> {
    const producer = this.client.producer({ transactionalId: 'test', idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const [end, ...values] of all) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: values.map(value => ({ value, partition: 0 })) })
      await transaction[end]()
    }
    await producer.disconnect()
  }

  /** Makes a topic, of more than one node. */
  async createTopic(topic: ITopicConfig): Promise<void> {
    await this.#administer(admin => admin.createTopics({ topics: [topic], waitForLeaders: false }))
  }

  /** The node that leads a topic's first partition; -1 where none does. */
  async leaderOf(topic: string): Promise<number | undefined> {
    const { topics } = await this.#administer(admin => admin.fetchTopicMetadata({ topics: [topic] }))
    return topics[0]?.partitions[0]?.leader
  }

  /** Makes a topic have so many partitions. */
  async addPartitions(topic: string, count: number): Promise<void> {
    await this.#administer(admin => admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  }

  /** Deletes what a partition holds below an offset, as its retention would. */
  async deleteBelow(topic: string, offset: number): Promise<void> {
    await this.#administer(async admin => {
      // It knows the leaders of topics that it was asked about.
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
    })
  }

  /** Where a group reads next. */
  async groupOffset(groupId: string, topic: string): Promise<string | undefined> {
    const [offsets] = await this.#administer(admin => admin.fetchOffsets({ groupId, topics: [topic] }))
    return offsets?.partitions[0]?.offset
  }

  /** Commits where a group reads next in a topic's first partition, as its consumers do. */
  async commit(groupId: string, topic: string, offset: number): Promise<void> {
    const partitions = [{ partition: 0, offset: String(offset) }]
    await this.#administer(admin => admin.setOffsets({ groupId, topic, partitions }))
  }

  async #administer<T>(act: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.client.admin()
    await admin.connect()
    try {
      return await act(admin)
    } finally {
      await admin.disconnect()
    }
  }
}

/** The values from one number to another. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index))
}
