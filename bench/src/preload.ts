/**
 * A process that fills a Kafka topic with stamped records of 100 keys, so that a system can be seen to read it as fast as
 * it can. Says `{done}` when all are there.
 */
import { Kafka, logLevel } from 'kafkajs'
import { now, writeStamp } from './stamp.ts'

interface Orders {
  brokers: string[]
  topic: string
  records: number
  payloadBytes: number
  /** So many partitions get the same share each, batch by batch; absent: the key says where a record goes. */
  partitions?: number
}

const keys = 100
/** Of one batch, which a broker takes up to a megabyte of. */
const most = { records: 2_000, bytes: 800_000 }

const { brokers, topic, records, payloadBytes, partitions }: Orders = JSON.parse(process.argv[2] ?? '{}')
const batch = Math.min(most.records, Math.floor(most.bytes / payloadBytes))
/** So many records go out at once: where they go to partitions in turn, a batch to each of some. */
const together = Math.min(16, partitions ?? 1) * batch
const producer = new Kafka({ brokers, clientId: 'bench-preload', logLevel: logLevel.NOTHING }).producer()
process.on('disconnect', () => process.exit(0))
await producer.connect()
for (let first = 0; first < records; first += together) {
  const messages = Array.from({ length: Math.min(together, records - first) }, (_, index) => {
    const number = first + index
    const value = Buffer.alloc(payloadBytes, 0x61)
    writeStamp(value, 0, { at: now(), publisher: 0, number })
    const partition = partitions === undefined ? {} : { partition: Math.floor(number / batch) % partitions }
    return { key: `d${number % keys}`, value, ...partition }
  })
  await producer.send({ topic, messages, acks: -1 })
}
await producer.disconnect()
process.send?.({ done: true })
