import { batchesIn, BatchError, mapHeaderValues, reservedPrefixes, startsWith } from '@millrace/record'
import { amqpValue } from './amqp-value.ts'
import { vendorNames } from './iot-operations.ts'

/** What a batch may come to when it is decompressed. */
const largestBatch = 256 * 2 ** 20

/** What only producers of Kafka write: Millrace, Azure's MQTT connectors, and tracing. */
const kafkaPrefixes = [...reservedPrefixes, Buffer.from('millrace.')]
const kafkaNames = new Set([...vendorNames, 'traceparent', 'tracestate'])

/**
 * Record batches of a hub with their headers' values as they were meant; see `amqpValue`. Headers of names that only Kafka's
 * producers write are left alone: their values may be any bytes, as correlation data is. The same bytes where there is
 * nothing to read. A batch that can't be read stays as it is, for whoever reads it next to complain of.
 */
export function readAmqpHeaders(records: Buffer): Buffer {
  const batches = [...batchesIn(records)]
  const read = batches.map(plain)
  return read.every((batch, index) => batch === batches[index]) ? records : Buffer.concat(read)
}

function plain(batch: Buffer): Buffer {
  try {
    return mapHeaderValues(batch, valueOf, { maxBytes: largestBatch })
  } catch (error) {
    if (error instanceof BatchError) return batch
    throw error
  }
}

function valueOf(value: Buffer, name: Buffer): Buffer | undefined {
  const meant = amqpValue(value)
  return meant === undefined || isKafkas(name) ? undefined : meant
}

const isKafkas = (name: Buffer): boolean =>
  kafkaPrefixes.some(prefix => startsWith(name, 0, name.length, prefix)) || kafkaNames.has(name.toString())
