/** How much of what waits becomes one delivery, and for how long it is let gather before. */
import type { LaneBatch, LaneReader, Waiting } from '@millrace/bus'

/** The most that becomes one delivery; at least one batch. */
export interface Most {
  records: number
  bytes: number
}

/** What waits goes out `ms` milliseconds after its first record came, or once there are so many records or bytes. */
export interface Linger extends Most {
  ms: number
}

/** Whether what waits is worth a delivery already, or all that can come. */
export const isEnough = ({ records, bytes }: Linger, waits: Waiting): boolean =>
  waits.records >= records || waits.bytes >= bytes || waits.isFull

/** How many milliseconds what waits is still let gather; `now` is of the same clock as `waits.since`. */
export function timeLeft(linger: Linger, waits: Waiting, now: number): number {
  return isEnough(linger, waits) ? 0 : Math.max(0, waits.since + linger.ms - now)
}

/** Takes what waits, up to the most. */
export function gather(reader: Pick<LaneReader, 'next' | 'take'>, most: Most): LaneBatch[] {
  const batches: LaneBatch[] = []
  let { records, bytes } = most
  for (let { next } = reader; next !== undefined; { next } = reader) {
    if (batches.length > 0 && (next.count > records || next.payload.length > bytes)) break
    records -= next.count
    bytes -= next.payload.length
    batches.push(next)
    reader.take()
  }
  return batches
}
