import { Kafka, logLevel } from 'kafkajs'
import type { ClusterSettings } from './cluster.ts'
import { KafkaError } from './errors.ts'

/** What a topic is made with; null is the broker's default. */
export interface NewTopic {
  partitions: number | null
  replicas: number | null
  /** Kafka's topic settings, e.g. `retention.ms`. */
  config: { [setting: string]: string }
}

const brokersDefault = -1

/** Makes a topic; one that is there already is left as it is. Throws KafkaError. */
export async function createTopic(settings: ClusterSettings, topic: string, wanted: NewTopic): Promise<void> {
  const { tls, sasl } = await settings.access()
  const admin = new Kafka({
    clientId: settings.clientId,
    brokers: settings.brokers.map(({ host, port }) => `${host}:${port}`),
    ...(tls && { ssl: tls }),
    ...(sasl && { sasl }),
    connectionTimeout: settings.connectTimeout,
    requestTimeout: settings.requestTimeout,
    retry: { retries: 1 },
    logLevel: logLevel.NOTHING,
  }).admin()
  try {
    await admin.connect()
    await admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: wanted.partitions ?? brokersDefault,
          replicationFactor: wanted.replicas ?? brokersDefault,
          configEntries: Object.entries(wanted.config).map(([name, value]) => ({ name, value })),
        },
      ],
    })
  } catch (cause) {
    throw new KafkaError('broker_error', `Topic ${topic} can't be created: ${reasonOf(cause)}`, { cause })
  } finally {
    await admin.disconnect()
  }
}

/** kafkajs gathers the errors of several topics; here there is one. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError || hasErrors(error) ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}

function hasErrors(error: unknown): error is { errors: unknown[] } {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}
