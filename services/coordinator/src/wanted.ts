/** What ought to run: routes become actors. Who runs them is `plan.ts`'s question. */
import type { ActorAssignment } from '@millrace/bus'

/** What the coordinator knows of a route; the rest is the services' business. */
export interface RouteLanes {
  name: string
  uid: string
  version: number
  /** The services that read its source and write its sink. */
  source: string
  sink: string
  /** Its lanes are found out while it runs, by a lister. */
  lister?: boolean
  /** The lanes that it wants: one a subscriber slot, or what its lister found. None in a route that is being deleted. */
  lanes: readonly string[]
  /** Lanes that were given up and are not drained yet. Never one of `lanes`. */
  retiring: readonly string[]
  /** What they hold is thrown away: only their sources have something to end. */
  discard?: boolean
}

/** An actor that ought to run, somewhere in its service. It gets its epoch with its owner. */
export interface WantedActor {
  service: string
  actor: Omit<ActorAssignment, 'epoch'>
}

/** An actor's name: `<role>.<route>.<lane>`, what `ActorAssignment.id` holds. */
export function actorId(role: ActorAssignment['role'], route: string, lane: string): string {
  return `${role}.${route}.${lane}`
}

/** The name of a route's lister, which there is one of. */
export function listerId(route: string): string {
  return actorId('lister', route, 'lister')
}

/**
 * The actors of a route: its lister, and a source and a sink for each lane. In a lane that retires, the source takes
 * what its session still holds and ends it, and the sink delivers what is stored; where that is thrown away, the source
 * only ends it.
 */
export function wantedActors(route: RouteLanes): WantedActor[] {
  const { discard = false } = route
  const retires = { retire: true, ...(discard && { discard }) }
  return [
    ...(route.lister ? [{ service: route.source, actor: actor(route, 'lister', 'lister') }] : []),
    ...route.lanes.flatMap(lane => [source(route, lane), sink(route, lane)]),
    ...route.retiring.map(lane => source(route, lane, retires)),
    ...(discard ? [] : route.retiring.map(lane => sink(route, lane))),
  ]
}

function source(route: RouteLanes, lane: string, retires?: object): WantedActor {
  return { service: route.source, actor: { ...actor(route, 'source', lane), ...retires } }
}

function sink(route: RouteLanes, lane: string): WantedActor {
  return { service: route.sink, actor: actor(route, 'sink', lane) }
}

function actor({ name, uid, version }: RouteLanes, role: ActorAssignment['role'], lane: string): WantedActor['actor'] {
  return { id: actorId(role, name, lane), role, route: name, uid, lane, version }
}
