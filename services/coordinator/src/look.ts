/** All that was seen, put together: what a plan rests on. */
import type { InstanceDocument, RoutesDocument } from '@millrace/bus'
import type { Attention } from './attention.ts'
import type { Liveness } from './liveness.ts'
import type { KnownRoute } from './route-lanes.ts'
import { type Instance, serviceOf, type Situation } from './situation.ts'
import type { Store } from './store.ts'
import { type WantedActor, wantedActors } from './wanted.ts'

/** The routes as they are kept, those of them that could be read, and which of their lanes are ready for actors. */
export interface Routes {
  document: RoutesDocument
  routes: readonly KnownRoute[]
  readonly isReady: (route: KnownRoute, lane: string) => boolean
}

/** What is watched, and how well it is heard. */
export interface Watched {
  store: Store
  liveness: Liveness
  attention: Attention
}

/** The last heartbeat of each instance that may have actors, its document, and how well it is heard. */
export interface Heard extends Omit<Watched, 'store'>, Pick<Situation, 'documents'> {
  heartbeats: ReadonlyMap<string, InstanceDocument>
}

/** What is there now, by this process's clock. */
export function situationOf({ store, liveness, attention }: Watched, routes: Routes): Situation {
  const documents = store.assignments.entries
  const heartbeats = [...store.instances.entries].filter(([key]) => serviceOf(key) !== 'coordinator')
  const placed = new Map(heartbeats.map(([key, { document }]) => [key, document]))
  const instances = instancesAt(performance.now(), { heartbeats: placed, documents, liveness, attention })
  return { wanted: wanted(routes, documents), instances, documents }
}

/** The instances as they are by all that was heard of them until now, a time of a monotonic clock. */
export function instancesAt(
  now: number,
  { heartbeats, documents, liveness, attention }: Heard,
): ReadonlyMap<string, Instance> {
  const instances = new Map<string, Instance>()
  for (const [key, heartbeat] of heartbeats) {
    const presence = liveness.presence(key, now)
    if (presence !== 'live') attention.forget(key)
    const isDeaf = presence === 'live' && attention.isDeaf(key, heartbeat, documents.get(key), now)
    instances.set(key, { presence: isDeaf ? 'deaf' : presence, heartbeat })
  }
  return instances
}

/**
 * What ought to run. An actor that was placed once stays wanted whatever becomes of its stream: it stops and tells by
 * itself (R5). Those of a route that this version can't read stay as they are. A lister needs nothing to be ready.
 */
function wanted({ document, routes, isReady }: Routes, documents: Situation['documents']): WantedActor[] {
  const placed = [...documents].flatMap(([key, { document }]) =>
    document.actors.map(actor => ({ service: serviceOf(key), actor })),
  )
  const lanes = new Set(placed.map(({ actor: { uid, lane } }) => `${uid}/${lane}`))
  const known = routes.flatMap(route =>
    wantedActors(route).filter(
      ({ actor: { role, uid, lane } }) => role === 'lister' || isReady(route, lane) || lanes.has(`${uid}/${lane}`),
    ),
  )
  const unread = Object.entries(document.routes).filter(([name]) => routes.every(route => route.name !== name))
  return [...known, ...placed.filter(({ actor }) => unread.some(([, { uid }]) => uid === actor.uid))]
}
