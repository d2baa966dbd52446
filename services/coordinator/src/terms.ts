/** The highest term that ever left a trace: the next leader's must be above it, even where a bucket was restored. */
import { AlarmError, type Bus, type LaneName, lanesOf, readEnd } from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'
import { isOurs, termOf } from './epoch.ts'
import type { Store } from './store.ts'

/**
 * Looks through assignments, which only leaders write, and heartbeats, positions and the last message of every lane:
 * there a term that is absurd is left out. Rejects with UnknownOutcomeError where NATS is away.
 */
export async function highestTerm(bus: Bus, store: Store): Promise<number> {
  const signal = AbortSignal.timeout(10_000)
  await Promise.all([store.reload(signal), store.positions.reload(signal)])
  const routes = Object.keys(store.routes.entries.get('current')?.document.routes ?? {})
  const lanes = await Promise.all(routes.map(route => lanesThere(bus, route)))
  const epochs = await Promise.all(lanes.flat().map(lane => epochAtEnd(bus, lane)))
  const given = [...store.assignments.entries.values()].map(({ document }) => document.term)
  const seen = [
    ...[...store.instances.entries.values()].map(({ document }) => document.term),
    ...[...store.positions.entries.values()].map(({ document }) => termOf(document.epoch)),
    ...epochs.map(termOf),
  ]
  return [...given, ...seen.filter(isOurs)].reduce((highest, term) => Math.max(highest, term), 0)
}

/** A message that is not ours at a lane's end has no epoch of ours: its actors raise that alarm, and we must lead. */
async function epochAtEnd(bus: Bus, lane: LaneName): Promise<number> {
  try {
    return (await readEnd(bus, lane))?.epoch ?? 0
  } catch (error) {
    if (error instanceof AlarmError) return 0
    throw error
  }
}

async function lanesThere(bus: Bus, route: string) {
  try {
    return await lanesOf(bus, route)
  } catch (error) {
    // A route whose stream is not made yet, or is gone: `provision.ts` says which.
    if (error instanceof JetStreamApiError) return []
    throw error
  }
}
