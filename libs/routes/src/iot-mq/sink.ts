/** How a topic map says that records are sent: batches and partitions, for all its routes to Kafka. */
import type { ConnectorFacts } from './known-connectors.ts'
import type { TopicMap } from './topic-map.ts'

type Spec = TopicMap['spec']

/** What a batch of ours may be told: records, and bytes; a hub closes the connection on more. */
export const batchLimits = { records: [1, 1_000_000], bytes: [1024, 2 ** 30], hubBytes: [1024, 1_000_000] } as const

/** The most that goes out together, and how long that is waited for; undefined where the map does not say. */
export function batchOf({ batching }: Spec, { isEventHubs }: ConnectorFacts): object | undefined {
  if (batching?.enabled !== true) return undefined
  const { records, bytes, hubBytes } = batchLimits
  return {
    maxRecords: within(batching.maxMessages, records),
    maxBytes: `${within(batching.maxBytes, isEventHubs ? hubBytes : bytes)}B`,
    linger: `${batching.latencyMs}ms`,
  }
}

const within = (value: number, [least, most]: readonly [number, number]): number =>
  Math.min(Math.max(value, least), most)

/** How many may share the subscription of a route. */
export const mostSubscribers = 1024

/** Which partition a record goes to. */
export interface Partitioning {
  key?: string | undefined
  partition?: string | undefined
  /** Of a route that does not say how many share its subscription. */
  subscribers: number
}

/**
 * `static`, a partition for each instance, becomes a partition for each subscriber, as many as there are instances.
 * Without a strategy a record has no key, and Kafka's partitioner spreads them.
 */
export function partitioningOf(spec: Spec, { instances = 1 }: ConnectorFacts): Partitioning {
  const { partitionStrategy, partitionKeyProperty = '' } = spec
  if (partitionStrategy === 'static')
    return { partition: 'lane', subscribers: Math.max(1, Math.min(instances, mostSubscribers)) }
  if (partitionStrategy === 'topic') return { key: '${source.topic}', subscribers: 1 }
  if (partitionStrategy === 'default') return { subscribers: 1 }
  return { key: `\${record.headers[${JSON.stringify(headerOf(partitionKeyProperty))}]}`, subscribers: 1 }
}

/** The header that a user property is carried as (ARCHITECTURE.md 8). */
const headerOf = (property: string): string =>
  /^(mqtt|iothub|kafka|user)\./.test(property) ? `user.${property}` : property
