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

/** Every route that this version can read. */
export function knownRoutes(document: RoutesDocument): KnownRoute[] {
  const read = parseStored(specsOf(document)).routes
  return Object.entries(document.routes).flatMap(([name, kept]) => {
    const spec = read.get(name)
    return spec === undefined ? [] : [knownRoute(kept, spec)]
  })
}

function knownRoute(
  { uid, version, deleting = false, discard = false, retiring = [] }: KeptRoute,
  spec: Route,
): KnownRoute {
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
    discard,
    spec,
  }
}

/** The lanes that a route asks for: one a subscriber slot, named by its number. */
export function lanesOfSpec({ source }: Route): string[] {
  return Array.from({ length: source.subscribers }, (_, slot) => String(slot))
}
