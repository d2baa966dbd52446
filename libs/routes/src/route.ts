/** Routes: one source, one sink, and what happens between (ARCHITECTURE.md 8). All that a user may say of one stands here. */
import { z } from 'zod'
import { duration, fields, integer, list, name, oneOf, record, size, text } from './fields.ts'
import {
  checkExpression,
  checkFilter,
  checkKey,
  checkPartition,
  checkSink,
  checkTopic,
  checkTwice,
} from './route-rules.ts'

/** What an MQTT source reads. */
export interface MqttSource {
  /** The name of a connection that speaks `mqtt`. */
  connection: string
  /** MQTT topic filters, each subscribed to by every subscriber. */
  topics: string[]
  /** The highest QoS that is asked of the broker. */
  qos: 0 | 1 | 2
  /** How many MQTT clients share the work, each with a lane of its own. Above 1: `$share`, and order within each only. */
  subscribers: number
  /** Milliseconds, whole seconds: how long the broker keeps a session that nobody is connected to. */
  sessionExpiry: number
  /** Whether messages that the broker retains are wanted when it is subscribed to. */
  retained: 'include' | 'skip'
}

/** Where a Kafka sink writes, and how. */
export interface KafkaSink {
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
  compression: 'none' | 'gzip' | 'zstd'
  batch: KafkaBatch
}

/** What a topic is made with; null is the broker's default. */
export interface TopicToCreate {
  partitions: number | null
  replicas: number | null
  /** Kafka's topic settings, e.g. `retention.ms`. */
  config: { [setting: string]: string }
}

/** How much of what waits goes out together. Nothing waits for more: while one delivery is under way, the next gathers. */
export interface KafkaBatch {
  maxRecords: number
  /** Bytes of one partition's batch, before compression. */
  maxBytes: number
}

/** One route, whole: every default is filled in, durations are milliseconds, sizes are bytes. */
export interface Route {
  name: string
  source: MqttSource
  /** CEL; a record that it says false of is left out, and counted. Absent: all pass. */
  filter?: string | undefined
  sink: KafkaSink
  /** What the sink writes as headers, of those that the record carries on the bus. */
  headers: 'lossless' | 'none'
  delivery: 'atLeastOnce'
  /** The data stream: all lanes of the route share it. */
  buffer: { maxBytes: number }
  /** A larger record becomes a dead letter at the source; see `largestRecord`. */
  maxRecordBytes?: number | undefined
  /** The dead-letter stream. `maxAge` in milliseconds; absent: no limit. */
  deadLetters: { maxBytes: number; maxAge?: number | undefined }
}

/** A route's `spec`, as written (decode) and as kept (encode). */
export type RouteSpec = Omit<Route, 'name'>

const MiB = 2 ** 20

const source = fields({
  connection: name(),
  topics: list(text().check(checkFilter)).check(checkTwice),
  qos: oneOf(0, 1, 2).default(1),
  subscribers: integer(1, 1024).default(1),
  sessionExpiry: duration({ atLeast: '1m', atMost: '49710d', step: '1s' }).default(7 * 86_400_000),
  retained: oneOf('include', 'skip').default('include'),
})

const createTopic = fields({
  partitions: integer(1, 10_000).nullable().default(null),
  replicas: integer(1, 100).nullable().default(null),
  config: record(text()).default({}),
})

const batch = fields({
  maxRecords: integer(1, 1_000_000).default(10_000),
  maxBytes: size({ atLeast: '1KiB', atMost: '1GiB' }).default(1_000_000),
}).prefault({})

const sink = fields({
  connection: name(),
  topic: text().check(checkTopic),
  key: text().check(checkKey).optional(),
  partition: text().check(checkPartition).default('key'),
  createTopic: createTopic.optional(),
  acks: oneOf<'all' | 1 | 0>('all', 1, 0).default('all'),
  compression: oneOf('none', 'gzip', 'zstd').default('none'),
  batch,
}).check(checkSink)

const deadLetters = fields({
  maxBytes: size({ atLeast: '1MiB', atMost: '1TiB' }).default(64 * MiB),
  maxAge: duration({ atLeast: '1m', atMost: '36500d' }).optional(),
}).prefault({})

/** R14: what asks for more than its ends can give is refused. */
const deliveryError = ({ input }: { input?: unknown }): string =>
  input === 'exactlyOnce'
    ? 'exactlyOnce asks for more than MQTT gives: a broker sends again what it saw no acknowledgement for'
    : 'expected atLeastOnce'

export const routeSpec: z.ZodType<RouteSpec> = fields({
  source,
  filter: text().check(checkExpression).optional(),
  sink,
  headers: oneOf('lossless', 'none').default('lossless'),
  delivery: z.literal('atLeastOnce', { error: deliveryError }).default('atLeastOnce'),
  buffer: fields({ maxBytes: size({ atLeast: '4MiB', atMost: '1TiB' }).default(256 * MiB) }).prefault({}),
  maxRecordBytes: size({ atLeast: '1KiB', atMost: '1GiB' }).optional(),
  deadLetters,
})

/**
 * The bytes of the largest record that a lane of this route takes: what the route says, and never more than a quarter
 * of the lane's share of the buffer (ARCHITECTURE.md 3), so that a record always finds room once others have gone.
 */
export function largestRecord(route: Route): number {
  const quarter = Math.floor(route.buffer.maxBytes / route.source.subscribers / 4)
  return Math.min(route.maxRecordBytes ?? quarter, quarter)
}
