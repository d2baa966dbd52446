/** Writes numbered records to every partition of a topic, as a user's idempotent producer does. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '@millrace/testkit'
import { Kafka, logLevel } from 'kafkajs'
import { payloadOf } from './publishers.ts'

export interface Producing {
  brokers: string[]
  topic: string
  partitions: number
  /** Records a second of all partitions together. */
  rate: number
  until: AbortSignal
  ledger: Pick<Ledger, 'acknowledged'>
}

/** Of a partition, in one request. */
const BATCH = 10

/** The records of partition `n` are those of publisher `p<n>`: its name is their key. */
export async function produce({ brokers, topic, partitions, rate, until, ledger }: Producing): Promise<void> {
  // A broker that is away is part of the test.
  const retry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 }
  const client = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry })
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1, retry })
  await producer.connect()
  const begun = performance.now()
  for (let first = 0; !until.aborted; first += BATCH) {
    const early = begun + (first * partitions * 1000) / rate - performance.now()
    if (early > 0) await sleep(early)
    const batch = Array.from({ length: BATCH * partitions }, (_, index) => {
      const partition = index % partitions
      return { key: `p${partition}`, partition, number: first + Math.floor(index / partitions) }
    })
    const messages = batch.map(({ number, ...record }) => ({ ...record, value: payloadOf(record.key, number, 0) }))
    await producer.send({ topic, messages })
    for (const { key, number } of batch) ledger.acknowledged(key, number)
  }
  await producer.disconnect()
}
