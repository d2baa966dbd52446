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
  /** The lanes that it wants: one a subscriber slot. None in a route that is being deleted. */
  lanes: readonly string[]
  /** Lanes that were given up and are not drained yet. Never one of `lanes`. */
  retiring: readonly string[]
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

/**
 * The actors of a route: a source and a sink for each lane. In a lane that retires, the source takes what its session
 * still holds and ends it, and the sink delivers what is stored.
 */
export function wantedActors(route: RouteLanes): WantedActor[] {
  return [
    ...route.lanes.flatMap(lane => bothSides(route, lane, false)),
    ...route.retiring.flatMap(lane => bothSides(route, lane, true)),
  ]
}

function bothSides(route: RouteLanes, lane: string, retire: boolean): WantedActor[] {
  const { name, uid, version } = route
  const same = { route: name, uid, lane, version }
  return [
    {
      service: route.source,
      actor: { ...same, role: 'source', id: actorId('source', name, lane), ...(retire && { retire }) },
    },
    { service: route.sink, actor: { ...same, role: 'sink', id: actorId('sink', name, lane) } },
  ]
}
