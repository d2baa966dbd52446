/**
 * What listers find becomes lanes. A lane stays for as long as its route lives: a lister that is away, starts again, or
 * finds less than before moves nothing, and a partition that is gone is for the lane's own source to tell (R5).
 */
import { isDeepStrictEqual } from 'node:util'
import { AlarmError, type RoutesDocument } from '@millrace/bus'
import { sourceOf } from '@millrace/routes'
import { extended } from './apply.ts'
import type { Ending } from './retire.ts'
import { type KnownRoute, wantedLanes } from './route-lanes.ts'
import type { Situation } from './situation.ts'
import { listerId, type RouteLanes } from './wanted.ts'

/** So many lanes a route may have. */
const mostLanes = 2_000
/** So many bytes the document of all routes may have, once lanes were found: it is one message, of 1 MiB at most. */
const mostBytes = 900_000

/**
 * Keeps what the lister of one route has newly found, and what it has looked for: of that, whatever was not there then
 * comes late. False where there is nothing new. Rejects with ConflictError where the routes have changed meanwhile,
 * UnknownOutcomeError.
 */
export async function learn({ store, kept, routes, now, problems }: Omit<Ending, 'bus'>): Promise<boolean> {
  for (const route of routes.filter(({ lister }) => lister)) {
    // Of a topic that the route does not read any more nothing comes back, whatever its lister says.
    const attempt = async () => {
      const found = lanesFound(route, now)
      return found === undefined ? kept.document : withLanes(kept.document, route, wantedLanes(route.spec, found))
    }
    const next = await problems.attempt({ route: route.name }, 'placing what its lister found', attempt)
    if (next === undefined || next === kept.document) continue
    await store.routes.write('current', next, kept.revision)
    return true
  }
  return false
}

/**
 * The routes with more lanes of one, and with what its lister has looked for. AlarmError `too_many_lanes` where they would
 * not fit into one message.
 */
function withLanes(before: RoutesDocument, { name, spec }: KnownRoute, found: readonly string[]): RoutesDocument {
  const kept = before.routes[name]
  const { topics: looked } = sourceOf(spec, 'kafka')
  if (kept === undefined) return before
  if (found.length === 0 && kept.lanes !== undefined && isDeepStrictEqual(kept.looked, looked)) return before
  const next = extended({ ...before, routes: { ...before.routes, [name]: { ...kept, looked } } }, name, found)
  if (Buffer.byteLength(JSON.stringify(next)) <= mostBytes) return next
  const message = `with its ${found.length} new partitions the document of all routes would be larger than ${mostBytes} bytes: let fewer topics be read in this installation.`
  throw new AlarmError('too_many_lanes', message)
}

/**
 * The lanes that the route's lister has found and that are not known yet, in its order; undefined where it has not
 * looked. What counts is what it says under the epoch that it has now, for this version of the route. AlarmError
 * `too_many_lanes`.
 */
export function lanesFound(route: RouteLanes, now: Situation): string[] | undefined {
  const listed = listing(route, now)
  if (listed === undefined) return undefined
  const known = new Set([...route.lanes, ...route.retiring])
  const found = [...new Set(listed)].filter(lane => !known.has(lane))
  if (known.size + found.length <= mostLanes) return found
  const message = `its source has ${known.size + found.length} partitions, and a route can have ${mostLanes} at most: share its topics out to several routes.`
  throw new AlarmError('too_many_lanes', message)
}

function listing(
  { name, uid, version }: RouteLanes,
  { documents, instances }: Situation,
): readonly string[] | undefined {
  const id = listerId(name)
  for (const [key, { document }] of documents) {
    const told = document.actors.find(actor => actor.id === id && actor.uid === uid)
    const said = instances.get(key)?.heartbeat.actors.find(actor => actor.id === id && actor.epoch === told?.epoch)
    if (said?.version === version && said.lanes !== undefined) return said.lanes
  }
  return undefined
}
