/** What all runs share: one Kafka on a free port, and a folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Kafka, startKafka } from '@millrace/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'

export interface Place extends AsyncDisposable {
  kafka: Kafka
  /** For configuration and logs of the systems; gone at the end. */
  folder: string
  /** How many records a topic holds. */
  countOf(topic: string): Promise<number>
}

export async function openPlace(): Promise<Place> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'))
  const kafka = await startKafka({ fast: true })
  const admin = new KafkaClient({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return {
    kafka,
    folder,
    countOf: async topic => {
      const partitions = await admin.fetchTopicOffsets(topic)
      return partitions.reduce((total, { high, low }) => total + Number(high) - Number(low), 0)
    },
    [Symbol.asyncDispose]: async () => {
      await admin.disconnect()
      await kafka[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
