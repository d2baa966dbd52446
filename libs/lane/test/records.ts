/** Records that know their place: `<publisher>:<number>` is the value. */
import { BatchBuilder, type Compression, type Record, type RecordView, viewOf } from '@millrace/record'

export const record = (value: string, headers: Record['headers'] = []): Record => ({
  timestamp: 1_700_000_000_000,
  key: Buffer.from('k'),
  value: Buffer.from(value),
  headers,
})

export const view = (value: string): RecordView => viewOf(record(value))

/** A record batch of these values. */
export function batchOf(...values: string[]): Buffer {
  const builder = new BatchBuilder()
  for (const value of values) builder.add(view(value))
  return builder.finish()
}

/** A record batch of these values as Kafka keeps it: compressed, at an offset. */
export function keptAt(offset: number, values: readonly string[], compression: Compression = 'none'): Buffer {
  const builder = new BatchBuilder()
  for (const value of values) builder.add(view(value))
  const batch = builder.finish({ compression })
  batch.writeBigInt64BE(BigInt(offset), 0)
  return batch
}

/** The value as text. */
export const valueOf = ({ valueIn, valueStart, valueEnd }: RecordView): string =>
  valueIn.toString('utf8', valueStart, valueEnd)
