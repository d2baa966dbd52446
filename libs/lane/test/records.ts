/** Records that know their place: `<publisher>:<number>` is the value. */
import { BatchBuilder, type Record, type RecordView, viewOf } from '@millrace/record'

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

/** The value as text. */
export const valueOf = ({ valueIn, valueStart, valueEnd }: RecordView): string =>
  valueIn.toString('utf8', valueStart, valueEnd)
