/** Routes as users wrote them -> the lanes that the coordinator places. */
import type { RoutesDocument, ServiceName } from '@millrace/bus'
import { parseStored, type Route, type StoredSpecs } from '@millrace/routes'
import type { RouteLanes } from './wanted.ts'

/** A route of `mr_routes`, read. */
export interface KnownRoute extends RouteLanes {
  source: ServiceName
  sink: ServiceName
  deleting: boolean
  spec: Route
}

/** What is kept of a route in `mr_routes`. */
export type KeptRoute = RoutesDocument['routes'][string]

/** The specs of a document, as libs/routes reads them. */
export function specsOf({ connections, routes }: RoutesDocument): StoredSpecs {
  return { connections, routes: Object.fromEntries(Object.entries(routes).map(([name, { spec }]) => [name, spec])) }
}

/** Every route that can be read. One that can't (of a later version, perhaps) is left as it is: see `problems`. */
export function knownRoutes(document: RoutesDocument): { routes: KnownRoute[]; problems: string[] } {
  const read = parseStored(specsOf(document))
  const routes = Object.entries(document.routes).flatMap(([name, kept]) => {
    const spec = read.routes.get(name)
    return spec === undefined ? [] : [knownRoute(kept, spec)]
  })
  return { routes, problems: read.problems.map(({ message }) => message) }
}

function knownRoute({ uid, version, deleting = false, retiring = [] }: KeptRoute, spec: Route): KnownRoute {
  const lanes = deleting ? [] : lanesOfSpec(spec)
  return {
    name: spec.name,
    uid,
    version,
    source: 'mqtt-ingress',
    sink: 'kafka-egress',
    lanes,
    retiring,
    deleting,
    spec,
  }
}

/** The lanes that a route asks for: one a subscriber slot, named by its number. */
export function lanesOfSpec({ source }: Route): string[] {
  return Array.from({ length: source.subscribers }, (_, slot) => String(slot))
}
