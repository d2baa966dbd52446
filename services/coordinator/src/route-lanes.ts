/** Routes as users wrote them -> the lanes that the coordinator places. */
import type { RoutesDocument, ServiceName } from '@millrace/bus'
import { parseStored, type Route, sinkService, sourceService, type StoredSpecs, topicMatcher } from '@millrace/routes'
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

function knownRoute(kept: KeptRoute, spec: Route): KnownRoute {
  const { uid, version, deleting = false, discard = false, retiring = [] } = kept
  return {
    name: spec.name,
    uid,
    version,
    source: sourceService(spec),
    sink: sinkService(spec),
    lister: isListed(spec) && !deleting,
    lanes: deleting ? [] : lanesOf(kept, spec),
    retiring,
    deleting,
    discard,
    spec,
  }
}

/** Whether a route has a lane, retiring or not; nothing is known of one that this version can't read. */
export function hasLane(routes: readonly KnownRoute[], { route, lane }: { route: string; lane?: string }): boolean {
  const known = routes.find(({ name }) => name === route)
  return known === undefined || lane === undefined || known.lanes.includes(lane) || known.retiring.includes(lane)
}

/** Whether a lister finds the lanes of a route: the partitions of its source. */
export function isListed({ source }: Route): boolean {
  return source.protocol === 'kafka'
}

/** The lanes that a route of `mr_routes` has, but for those that retire. */
export function lanesOf({ lanes = [] }: KeptRoute, spec: Route): string[] {
  return wantedLanes(spec, lanes)
}

/**
 * The lanes that a route asks for: one a subscriber slot, named by its number; or of the partitions that are known
 * (`<topic>/<partition>`) those of its topics.
 */
export function wantedLanes({ source }: Route, known: readonly string[]): string[] {
  if (source.protocol === 'mqtt') return Array.from({ length: source.subscribers }, (_, slot) => String(slot))
  const isRead = topicMatcher(source.topics)
  return known.filter(lane => isRead(lane.slice(0, lane.lastIndexOf('/'))))
}
