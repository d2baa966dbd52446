/** Where a run happens: real servers of its own on free ports, shared by all systems so that they meet the same ones. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Kafka, type Mosquitto, startKafka, startMosquitto } from '@millrace/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'

export interface Place extends AsyncDisposable {
  kafka: Kafka
  mosquitto: Mosquitto
  /** For configuration and logs of the systems; gone at the end. */
  folder: string
  /** How many records a topic holds. */
  countOf(topic: string): Promise<number>
}

export async function openPlace(): Promise<Place> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'))
  const [kafka, mosquitto] = await Promise.all([startKafka(), startMosquitto({ extra: 'sys_interval 1' })])
  const admin = new KafkaClient({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return {
    kafka,
    mosquitto,
    folder,
    countOf: async topic => {
      const partitions = await admin.fetchTopicOffsets(topic)
      return partitions.reduce((total, { high, low }) => total + Number(high) - Number(low), 0)
    },
    [Symbol.asyncDispose]: async () => {
      await admin.disconnect()
      await Promise.all([kafka[Symbol.asyncDispose](), mosquitto[Symbol.asyncDispose]()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
