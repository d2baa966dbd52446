/**
 * How lanes and routes end without losing what was acknowledged (ARCHITECTURE.md 5).
 *
 *   lane:  placed --(slot given up, route deleted)--> retiring: its source takes what its session holds, and ends it
 *          --(the source says `stopped`)--> its sink delivers what is stored
 *          --(every record of the lane is behind the position, R12)--> done: no actors. Its position and last message
 *          stay, so that a slot that comes back goes on where it was, and `mr-base` never goes back
 *   lane of a route whose records are thrown away: retiring --(the source says `stopped`; or its service has no instance
 *          that could end the session, which expires)--> done
 *   route: deleting --(no lane retires any more)--> no actors --(nobody runs any)--> positions deleted --> streams
 *          deleted --> gone from `mr_routes`
 *
 * Each step is done only when the one before it can be seen in a bucket, so a new leader goes on where the last was.
 */
import { AlarmError, type Bus, deleteRouteStreams, positionKey, type RoutesDocument, trimLane } from '@millrace/bus'
import { removed, retired } from './apply.ts'
import { readBacklog } from './lane-end.ts'
import type { RouteProblems } from './problems.ts'
import type { KnownRoute } from './route-lanes.ts'
import { isGone, living, type Revised, serviceOf, type Situation, whatRuns } from './situation.ts'
import type { Store } from './store.ts'
import { actorId } from './wanted.ts'

/** What the steps are decided from, and the revision of `mr_routes` that they may change: no other. */
export interface Ending {
  bus: Bus
  store: Store
  kept: Revised<RoutesDocument>
  routes: readonly KnownRoute[]
  now: Situation
  problems: RouteProblems
}

/**
 * Takes the next step of one lane or route that is ending; false where none can be taken now. Rejects with
 * ConflictError where the routes have changed meanwhile, UnknownOutcomeError.
 */
export async function retire(ending: Ending): Promise<boolean> {
  for (const route of ending.routes) if (await retireRoute(ending, route)) return true
  return false
}

async function retireRoute(ending: Ending, route: KnownRoute): Promise<boolean> {
  const { now, problems } = ending
  const nobody = route.discard && !living(now).some(key => serviceOf(key) === route.source)
  for (const lane of route.retiring.filter(lane => nobody || sourceHasStopped(route, lane, now))) {
    const end = () => (route.discard ? forgetLane(ending, route, lane) : finishLane(ending, route, lane))
    if (await problems.attempt({ route: route.name, lane }, 'ending', end)) return true
  }
  if (!route.deleting || route.retiring.length > 0 || !isVacated(route, now)) return false
  return (await problems.attempt({ route: route.name }, 'ending it', () => remove(ending, route))) ?? false
}

/** Its owner says `stopped` for the very assignment that told it to retire. */
function sourceHasStopped({ name, uid, source }: KnownRoute, lane: string, now: Situation): boolean {
  const id = actorId('source', name, lane)
  return [...now.documents].some(([key, { document }]) => {
    const owner = now.instances.get(key)
    const told = document.actors.find(actor => actor.id === id && actor.uid === uid && actor.retire === true)
    if (told === undefined || owner === undefined || isGone(owner) || !key.startsWith(`${source}.`)) return false
    return owner.heartbeat.actors.some(it => it.id === id && it.epoch === told.epoch && it.state === 'stopped')
  })
}

/** Asked after the source has stopped, so the lane's end is its last. Where nobody can tell, an alarm: it stays (R5). */
async function finishLane(ending: Ending, route: KnownRoute, lane: string): Promise<boolean> {
  const { pending, delivered } = await readBacklog(ending, route, lane).catch((error: unknown) => {
    throw withWayOut(error, route.name)
  })
  if (pending > 0) return false
  // Not beyond the position: where a slot comes back, it reads on there.
  if (delivered > 0) await trimLane(ending.bus, { service: route.source, route: route.name, lane }, delivered)
  return forgetLane(ending, route, lane)
}

async function forgetLane({ store, kept }: Ending, route: KnownRoute, lane: string): Promise<true> {
  await store.routes.write('current', retired(kept.document, route.name, lane), kept.revision)
  return true
}

/** No instance has an actor of the route, nor may start one. */
function isVacated({ name, uid }: KnownRoute, now: Situation): boolean {
  const told = [...now.documents.values()].some(({ document }) => document.actors.some(actor => actor.uid === uid))
  const prefixes = (['source', 'sink', 'lister'] as const).map(role => actorId(role, name, ''))
  return !told && whatRuns(now).every(({ runs }) => runs !== 'unknown' && !anyOf(runs, prefixes))
}

function anyOf(ids: ReadonlySet<string>, prefixes: readonly string[]): boolean {
  return [...ids].some(id => prefixes.some(prefix => id.startsWith(prefix)))
}

async function remove({ bus, store, kept }: Ending, { name, uid, sink }: KnownRoute): Promise<true> {
  const prefix = positionKey({ service: sink, route: name, lane: '-' }).slice(0, -1)
  for (const [key, { value, revision }] of await store.positions.bucket.list()) {
    if (key.startsWith(prefix) && value.uid === uid) await store.positions.delete(key, revision)
  }
  await deleteRouteStreams(bus, name, uid)
  await store.routes.write('current', removed(kept.document, name), kept.revision)
  return true
}

/** An alarm of a lane that is to end, and how to be rid of it. */
function withWayOut(error: unknown, route: string): unknown {
  if (!(error instanceof AlarmError)) return error
  const message = `${error.message} The lane stays, with what it holds, until that is put right; \`millrace delete route ${route} --discard\` gives it up, with the whole route.`
  return new AlarmError(error.code, message)
}
