/**
 * What the record batch codec costs: CPU seconds per million records of 200 bytes with the headers `mqtt.topic` and
 * `mqtt.qos`, 500 records a batch, beside kafkajs' own encoder. Run: pnpm --filter @millrace/bench codec
 */
import { createRequire } from 'node:module'
import {
  BatchBuilder,
  BatchReader,
  emptyView,
  encodeHeader,
  HeaderCursor,
  HeaderWriter,
  headerName,
} from '@millrace/record'

const recordsPerBatch = 500
const batches = 2000
const topicName = headerName('mqtt.topic')
const qos = encodeHeader(headerName('mqtt.qos'), '1')
const topic = Buffer.from('sensors/hall-7/telemetry')
const values = Array.from({ length: recordsPerBatch }, payload)
const key = Buffer.from('hall-7')
const now = Date.now()

/** 200 bytes of JSON, so that compression has as much to do as with a sensor's. */
function payload(): Buffer {
  const readings = Array.from({ length: 12 }, () => Math.random().toFixed(12))
  return Buffer.from(JSON.stringify({ device: 'hall-7', readings }).slice(0, 200).padEnd(200))
}

type Compression = 'none' | 'gzip' | 'zstd'

/** Runs `once` for each batch, after a warm-up, and returns CPU seconds per million records. */
function measure(once: () => void): number {
  for (let i = 0; i < 200; i++) once()
  const before = process.cpuUsage()
  for (let i = 0; i < batches; i++) once()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (batches * recordsPerBatch)
}

function encoder(compression: Compression): () => Buffer {
  const builder = new BatchBuilder()
  const headers = new HeaderWriter()
  const view = emptyView()
  return () => {
    for (const [i, value] of values.entries()) {
      headers.clear()
      headers.constant(topicName.encoded)
      headers.value(topic, 0, topic.length)
      headers.header(qos)
      headers.into(view)
      view.timestamp = now + i
      view.keyIn = key
      view.keyStart = 0
      view.keyEnd = key.length
      view.valueIn = value
      view.valueStart = 0
      view.valueEnd = value.length
      builder.add(view)
    }
    return builder.finish({ compression })
  }
}

function decoder(batch: Buffer): () => void {
  const reader = new BatchReader({ maxBytes: 1 << 20 })
  const cursor = new HeaderCursor()
  return () => {
    reader.open(batch)
    while (reader.next()) if (!cursor.find(reader.view, topicName)) throw new Error('A header is missing.')
  }
}

/** Reads a batch and writes it again: a sink's work. */
function copier(batch: Buffer): () => void {
  const reader = new BatchReader({ maxBytes: 1 << 20 })
  const builder = new BatchBuilder()
  return () => {
    reader.open(batch)
    while (reader.next()) builder.add(reader.view)
    builder.finish()
  }
}

/** kafkajs' encoders, as far as they are used here. */
interface KafkaJsEncoders {
  batch: (fields: { records: unknown[]; firstTimestamp: number; lastOffsetDelta: number }) => Promise<unknown>
  record: (fields: {
    key: Buffer
    value: Buffer
    headers: object
    offsetDelta: number
    timestampDelta: number
  }) => unknown
}

/** kafkajs' encoders, which it does not export. */
function kafkaJs(): KafkaJsEncoders {
  const require = createRequire(import.meta.url)
  const { RecordBatch: batch } = require('kafkajs/src/protocol/recordBatch/v0')
  return { batch, record: require('kafkajs/src/protocol/recordBatch/record/v0') }
}

async function measureKafkaJs(): Promise<number> {
  const { batch, record } = kafkaJs()
  const once = async () => {
    const records = values.map((value, i) =>
      record({ key, value, headers: { 'mqtt.topic': topic, 'mqtt.qos': '1' }, offsetDelta: i, timestampDelta: i }),
    )
    await batch({ records, firstTimestamp: now, lastOffsetDelta: recordsPerBatch - 1 })
  }
  for (let i = 0; i < 20; i++) await once()
  const before = process.cpuUsage()
  for (let i = 0; i < batches / 10; i++) await once()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ((batches / 10) * recordsPerBatch)
}

function print(what: string, seconds: number): void {
  console.log(`${what.padEnd(40)} ${seconds.toFixed(3)} CPU s per million`)
}

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  const encode = encoder(compression)
  print(`headers, encode, crc, ${compression}`, measure(encode))
  print(`crc, decode, find a header, ${compression}`, measure(decoder(encode())))
}
print('decode and encode again', measure(copier(encoder('none')())))
print("kafkajs' encoder", await measureKafkaJs())
