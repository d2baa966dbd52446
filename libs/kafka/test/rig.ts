import type { Outcome } from '@millrace/lane'
import { type RecordView, viewOf } from '@millrace/record'
import { Cluster, type ClusterSettings, Producer, type ProducerOptions } from '../src/index.ts'
import type { Script } from './fake-broker.ts'

/** Settings for a broker of this machine, with time-outs that suit tests. */
export function settingsFor(port: number, more: Partial<ClusterSettings> = {}): ClusterSettings {
  return {
    brokers: [{ host: '127.0.0.1', port }],
    clientId: 'test',
    access: async () => ({ tls: null, sasl: null }),
    connectTimeout: 3_000,
    requestTimeout: 3_000,
    longestIdle: 60_000,
    largestRequest: 10_000_000,
    amqpHeaders: false,
    gzipOnly: false,
    ...more,
  }
}

/** A producer with a cluster of its own, which is closed with it. */
export interface Rig extends AsyncDisposable {
  cluster: Cluster
  producer: Producer
}

/** Opens a producer: acks all, by key, for the fixed topic `t`, unless said otherwise. */
export async function openProducer(
  port: number,
  options: Partial<ProducerOptions> = {},
  settings: Partial<ClusterSettings> = {},
): Promise<Rig> {
  const cluster = await Cluster.open(settingsFor(port, settings))
  const producer = await Producer.open({
    cluster,
    lane: '0',
    transactionalId: 'millrace.test.uid.0',
    acks: 'all',
    compression: 'none',
    partitionBy: 'key',
    maxBatchBytes: 1_000_000,
    missingTopic: 'hold',
    topic: 't',
    ...options,
  })
  return { cluster, producer, [Symbol.asyncDispose]: async () => cluster.close() }
}

/** A record without headers. */
export function record(value: string, key: string | null = null): RecordView {
  return viewOf({
    timestamp: 1_700_000_000_000,
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    headers: [],
  })
}

/** Adds the values in order, to partition 0 unless said otherwise. */
export function addAll(producer: Producer, values: readonly string[], { topic = 't', partition = 0 } = {}): void {
  for (const [index, value] of values.entries()) producer.add(topic, record(value), { index, partition })
}

/** As the engine does it, without its waits. */
export async function deliverAll(producer: Producer, attempts = 50): Promise<Outcome> {
  let outcome = await producer.deliver()
  for (let left = attempts; left > 0 && (outcome.is === 'hold' || outcome.is === 'unknown'); left--) {
    outcome = await producer.deliver()
  }
  return outcome
}

/** Answers with the next of these; then as it should be. */
export function scripted(...steps: ReturnType<Script>[]): Script {
  return () => steps.shift()
}
