/**
 * What listers find becomes lanes. A lane stays for as long as its route lives: a lister that is away, starts again, or
 * finds less than before moves nothing, and a partition that is gone is for the lane's own source to tell (R5).
 */
import { AlarmError } from '@millrace/bus'
import { extended } from './apply.ts'
import type { Ending } from './retire.ts'
import { wantedLanes } from './route-lanes.ts'
import type { Situation } from './situation.ts'
import { listerId, type RouteLanes } from './wanted.ts'

/** So many lanes a route may have: each is an actor on both sides, named in documents of at most 1 MiB. */
const mostLanes = 2_000

/**
 * Keeps what the lister of one route has newly found; false where none has found anything. Rejects with ConflictError
 * where the routes have changed meanwhile, UnknownOutcomeError.
 */
export async function learn({ store, kept, routes, now, problems }: Omit<Ending, 'bus'>): Promise<boolean> {
  for (const route of routes.filter(({ lister }) => lister)) {
    // Of a topic that the route does not read any more nothing comes back, whatever its lister says.
    const attempt = async () => wantedLanes(route.spec, lanesFound(route, now))
    const found = await problems.attempt(route.name, 'placing what its lister found', attempt)
    if (found === undefined || found.length === 0) continue
    await store.routes.write('current', extended(kept.document, route.name, found), kept.revision)
    return true
  }
  return false
}

/**
 * The lanes that the route's lister has found and that are not known yet, in its order. What counts is what it says
 * under the epoch that it has now, for this version of the route. AlarmError `too_many_lanes`.
 */
export function lanesFound(route: RouteLanes, now: Situation): string[] {
  const known = new Set([...route.lanes, ...route.retiring])
  const found = [...new Set(listing(route, now))].filter(lane => !known.has(lane))
  if (known.size + found.length <= mostLanes) return found
  const message = `its source has ${known.size + found.length} partitions, and a route can have ${mostLanes} at most: share its topics out to several routes.`
  throw new AlarmError('too_many_lanes', message)
}

function listing({ name, uid, version }: RouteLanes, { documents, instances }: Situation): readonly string[] {
  const id = listerId(name)
  for (const [key, { document }] of documents) {
    const told = document.actors.find(actor => actor.id === id && actor.uid === uid)
    const said = instances.get(key)?.heartbeat.actors.find(actor => actor.id === id && actor.epoch === told?.epoch)
    if (said?.version === version && said.lanes !== undefined) return said.lanes
  }
  return []
}
