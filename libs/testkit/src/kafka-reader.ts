/**
 * Reads a topic to its end, exactly once, by kafkajs' own protocol and decoder.
 *
 * Not by its consumer: that does not tell when it has passed a transaction's marker at the end of a partition.
 */
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { lz4Compress, lz4Decompress, snappyCompress, snappyDecompress } from '@platformatic/wasm-utils'
import kafkajs, { type IHeaders } from 'kafkajs'

// Node does not see these two among the names that kafkajs exports, as vitest does.
const { CompressionCodecs, CompressionTypes } = kafkajs

/** A record as a reader of committed records sees it. */
export interface KafkaRecord {
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** By name; several of one name are an array. For their order as written ask the console consumer. */
  readonly headers: IHeaders
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** What is read: a partition from an offset on. */
interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** Hands every committed record that a topic holds now to `visit`, partition by partition, by offset. */
export async function readTopic(
  brokers: string[],
  { topic, partitions }: { topic: string; partitions: readonly { partition: number; low: string }[] },
  visit: (record: KafkaRecord) => void,
): Promise<void> {
  addCodecs()
  const cluster = openCluster(brokers)
  await cluster.connect()
  try {
    await cluster.addTargetTopic(topic)
    const broker = await cluster.findControllerBroker()
    for (const { partition, low } of partitions.toSorted((a, b) => a.partition - b.partition)) {
      let offset: bigint | undefined = BigInt(low)
      while (offset !== undefined) offset = await readSome(broker, { topic, partition, offset }, visit)
    }
  } finally {
    await cluster.disconnect()
  }
}

/** kafkajs has gzip alone of itself. Snappy is read without the Java library's frame. */
function addCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => snappyCompress(buffer),
    decompress: async (buffer: Buffer) => snappyDecompress(buffer),
  })
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => lz4Compress(buffer),
    decompress: async (buffer: Buffer) => lz4Decompress(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => promisify(zstdCompress)(buffer),
    decompress: (buffer: Buffer) => promisify(zstdDecompress)(buffer),
  })
}

/** One Fetch; gives the offset to go on from, undefined at the end of the partition. */
async function readSome(
  broker: Broker,
  { topic, partition, offset }: Place,
  visit: (record: KafkaRecord) => void,
): Promise<bigint | undefined> {
  const readCommitted = 1
  const request = { partition, fetchOffset: String(offset), maxBytes: 8_388_608 }
  const { responses } = await broker.fetch({
    maxWaitTime: 10,
    isolationLevel: readCommitted,
    topics: [{ topic, partitions: [request] }],
  })
  const data = responses[0]?.partitions[0]
  if (data === undefined) throw new Error(`no answer for ${topic}/${partition}`)
  for (const { offset: own, key, value, headers, timestamp } of new Batch(topic, String(offset), data).messages) {
    visit({ partition, offset: BigInt(own), key, value, headers, timestamp: Number(timestamp) })
  }
  const last = data.messages.at(-1)
  const next = last === undefined ? offset : BigInt(last.offset) + 1n
  if (next >= BigInt(data.lastStableOffset)) return undefined
  if (next === offset) throw new Error(`${topic}/${partition} holds more beyond offset ${offset}, but gave nothing`)
  return next
}

/** Takes a line of kafkajs' log, and forgets it. */
const silent = (): void => {}

function openCluster(brokers: string[]): Cluster {
  const logger = { info: silent, error: silent, warn: silent, debug: silent, namespace: () => logger }
  const options = { connectionTimeout: 1_000, requestTimeout: 30_000, enforceRequestTimeout: true }
  return new Cluster({ brokers, logger, offsets: new Map(), socketFactory: socketFactory(), ...options })
}

// What of kafkajs is used that its types do not show. Its version is pinned.

interface Message {
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
  readonly timestamp: string
}

interface PartitionData {
  /** Markers and records of aborted transactions included. */
  readonly messages: readonly Message[]
  /** The offset after the last that a reader of committed records may see. */
  readonly lastStableOffset: string
}

interface Broker {
  fetch(request: object): Promise<{ responses: readonly { partitions: readonly PartitionData[] }[] }>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  /** Loads the metadata of a topic. */
  addTargetTopic(topic: string): Promise<void>
  findControllerBroker(): Promise<Broker>
}

const require = createRequire(import.meta.url)
const Cluster: new (options: object) => Cluster = require('kafkajs/src/cluster')
/** Leaves out markers and records of aborted transactions. */
const Batch: new (
  topic: string,
  offset: string,
  data: PartitionData,
) => { readonly messages: readonly Message[] } = require('kafkajs/src/consumer/batch')
const socketFactory: () => unknown = require('kafkajs/src/network/socketFactory')
