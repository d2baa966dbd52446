/** How much of a lane is not delivered yet (R5, R12). */
import {
  AlarmError,
  type Bus,
  checkPlace,
  dataStream,
  type LaneEnd,
  type PositionDocument,
  positionKey,
  readEnd,
  recordsBehind,
  streamInfo,
} from '@millrace/bus'
import type { KnownRoute } from './route-lanes.ts'
import type { Store } from './store.ts'

/** How far a lane is delivered. */
export interface Backlog {
  /** Records that are stored and not delivered. */
  pending: number
  /** The sequence of the last message that is delivered whole; 0 where none is. */
  delivered: number
}

/**
 * How far a lane of a route is delivered; the end is read before the position. AlarmError where nobody can tell: the end
 * is a stranger's, or what the position speaks of is not this lane.
 */
export async function readBacklog(
  { bus, store }: { bus: Bus; store: Store },
  route: KnownRoute,
  lane: string,
): Promise<Backlog> {
  const name = { service: route.source, route: route.name, lane }
  const end = await readEnd(bus, name)
  const stream = await streamInfo(bus, dataStream(route.name))
  if (stream?.config.metadata?.['uid'] !== route.uid) {
    throw new AlarmError('stream_replaced', `${dataStream(route.name)} is not the stream that was made for this route.`)
  }
  const key = positionKey({ ...name, service: route.sink })
  const position = (await store.positions.bucket.read(key))?.value
  // Neither was made yet: positions come before actors, and actors before messages.
  if (position === undefined && end === undefined) return { pending: 0, delivered: 0 }
  if (position?.uid !== route.uid) {
    throw new AlarmError('position_missing', `The lane has records, but there is no position ${key} of this route.`)
  }
  if (position.sequence > 0) await checkPlace(bus, name, position, recordsBehind(position.totals))
  return { pending: beyond(position, end, key), delivered: position.sequence }
}

/** Records of the lane that the position does not have behind it. */
function beyond({ sequence, totals }: PositionDocument, end: LaneEnd | undefined, key: string): number {
  const pending = (end === undefined ? 0 : end.base + end.count) - recordsBehind(totals)
  if (pending >= 0 && sequence <= (end?.sequence ?? 0)) return pending
  throw new AlarmError('totals_differ', `The position ${key} has more behind it than the lane holds.`)
}
