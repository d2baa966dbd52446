/** The sink of a route that writes to a Kafka cluster. */
import type { z } from 'zod'
import { duration, fields, integer, name, oneOf, record, size, spoken, text } from './fields.ts'
import { checkKafkaSink, checkPartition, checkTopic } from './kafka-rules.ts'
import { checkTopicName } from './kafka-topic.ts'
import { checkKey } from './route-rules.ts'

/** Where a Kafka sink writes, and how. */
export interface KafkaSink {
  protocol: 'kafka'
  /** The name of a connection that speaks `kafka`. */
  connection: string
  /** A topic's name, or a template that makes one for each record. */
  topic: string
  /** A template. Absent: the record's own key, which an MQTT message does not have. */
  key?: string | undefined
  /**
   * `key`: murmur2 of the key, sticky without one, as Kafka's own clients do. `lane`: the lane's own partition.
   * Else a template that makes a partition's number.
   */
  partition: string
  /** How a missing topic is made; absent: it is not, and the lane holds. Only with a fixed topic. */
  createTopic?: TopicToCreate | undefined
  acks: 'all' | 1 | 0
  compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  batch: KafkaBatch
  /** Of `delivery: exactlyOnce`: the topic under which the lane's position is committed. Absent: the fixed `topic`. */
  positionTopic?: string | undefined
}

/** What a topic is made with; null is the broker's default. */
export interface TopicToCreate {
  partitions: number | null
  replicas: number | null
  /** Kafka's topic settings, e.g. `retention.ms`. */
  config: { [setting: string]: string }
}

/** How much of what waits goes out together. While one delivery is under way, the next gathers. */
export interface KafkaBatch {
  maxRecords: number
  /** Bytes of one partition's batch, before compression. */
  maxBytes: number
  /**
   * How long the first record that waits is let wait for more, in milliseconds, where so many records or bytes are not
   * there yet. Absent: as it is good for the route's `delivery`.
   */
  linger?: number | undefined
}

const createTopic = fields({
  partitions: integer(1, 10_000).nullable().default(null),
  replicas: integer(1, 100).nullable().default(null),
  config: record(text()).default({}),
})

const batch = fields({
  maxRecords: integer(1, 1_000_000).default(10_000),
  maxBytes: size({ atLeast: '1KiB', atMost: '1GiB' }).default(1_000_000),
  linger: duration({ atLeast: '0ms', atMost: '2m' }).optional(),
}).prefault({})

export const kafkaSink: z.ZodType<KafkaSink> = spoken(
  'kafka',
  fields({
    connection: name(),
    topic: text().check(checkTopic),
    key: text().check(checkKey).optional(),
    partition: text().check(checkPartition).default('key'),
    createTopic: createTopic.optional(),
    acks: oneOf<'all' | 1 | 0>('all', 1, 0).default('all'),
    compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd').default('none'),
    batch,
    positionTopic: text().check(checkTopicName).optional(),
  }).check(checkKafkaSink),
)
