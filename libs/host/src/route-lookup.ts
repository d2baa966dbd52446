import type { ActorAssignment, Bucket, RoutesDocument } from '@millrace/bus'
import { type Connection, parseStored, type Route } from '@millrace/routes'

/** A route as an actor runs it. */
export interface RouteFound {
  installation: string
  route: Route
  source: Connection
  sink: Connection
}

/** The route can't be run here: `route_unknown` (not, or not in this version), `route_invalid`. */
class RouteError extends Error {
  override readonly name = 'RouteError'
  readonly code: 'route_unknown' | 'route_invalid'

  constructor(code: RouteError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Reads the route of an assignment, and the connections that it names, in exactly the version that the assignment
 * says. Rejects with RouteError, which may pass: a route is written before its assignment, and either may be newer.
 */
export async function findRoute(bucket: Bucket<RoutesDocument>, assignment: ActorAssignment): Promise<RouteFound> {
  const { route: name, uid, version } = assignment
  const document = (await bucket.read('current'))?.value
  const kept = document?.routes[name]
  if (document === undefined || kept?.uid !== uid || kept.version !== version) {
    const found = kept === undefined ? 'none' : `version ${kept.version} of ${kept.uid}`
    throw new RouteError('route_unknown', `Route ${name}: expected version ${version} of ${uid}, found ${found}.`)
  }
  const { connections, routes, problems } = parseStored({
    connections: document.connections,
    routes: { [name]: kept.spec },
  })
  const route = routes.get(name)
  const source = route && connections.get(route.source.connection)
  const sink = route && connections.get(route.sink.connection)
  if (route === undefined || source === undefined || sink === undefined) {
    throw new RouteError('route_invalid', problems.map(({ message }) => message).join('; '))
  }
  return { installation: document.installation, route, source, sink }
}
