import { type Bus, type LaneName, LaneReader, readEnd } from '@millrace/bus'
import { type Record, recordOf, RecordSetReader } from '@millrace/record'
import { eventually } from './eventually.ts'

/** Every record that a lane holds now, with its offset: that of its Kafka partition, or else of its batch. */
export async function readLane(bus: Bus, lane: LaneName, uid: string): Promise<(Record & { offset: bigint })[]> {
  const total = await recordsIn(bus, lane)
  const stop = new AbortController()
  const reader = new LaneReader({ bus, lane, uid, after: { sequence: 0 }, base: 0, signal: stop.signal })
  const batches = new RecordSetReader({ maxBytes: 2 ** 30 })
  const records: (Record & { offset: bigint })[] = []
  while (records.length < total) {
    const batch = await eventually(() => reader.take(), { what: 'a batch', interval: 1 })
    if (batch.count === 0) continue
    batches.open(batch.payload, batch.count)
    while (batches.next()) records.push({ ...recordOf(batches.view), offset: batches.offset })
  }
  stop.abort()
  return records
}

/** Waits until a lane holds so many records. */
export async function untilStored(bus: Bus, lane: LaneName, count: number): Promise<void> {
  const isThere = async () => (await recordsIn(bus, lane)) >= count
  await eventually(isThere, { what: `${count} records stored`, timeout: 30_000 })
}

async function recordsIn(bus: Bus, lane: LaneName): Promise<number> {
  const end = await readEnd(bus, lane)
  return end === undefined ? 0 : end.base + end.count
}
