/**
 * Connections and routes as they are kept and sent: specs that a user could have written, with every default spelled
 * out, so that a later version's defaults do not change a route that is running. All JSON.
 */
import { z } from 'zod'
import { readBest } from './attempt.ts'
import { checkEnds, checkReferences, checkRoute } from './checks.ts'
import { type Connection, type ConnectionSpec, connectionSpec } from './connection.ts'
import { schemasFor } from './ends.ts'
import { type Finding, findingsOf } from './finding.ts'
import { checkLoops } from './loops.ts'
import { type Route, type RouteSpec, routeSpecs } from './route.ts'

/** What is kept, by name: in `mr_routes`, and in a request to apply. */
export interface StoredSpecs {
  connections: { readonly [name: string]: unknown }
  routes: { readonly [name: string]: unknown }
}

/** What was kept, read. */
export interface Stored {
  connections: Map<string, Connection>
  /** Those that are whole, and whose connections are. */
  routes: Map<string, Route>
  /** What is wrong with the others. */
  problems: StoredProblem[]
}

export interface StoredProblem {
  kind: 'Connection' | 'Route'
  name: string
  code: string
  /** Names the kind, the name and the field. */
  message: string
}

/** A connection's spec, to be kept. */
export function storedConnection(connection: Connection): unknown {
  return z.encode(connectionSpec, withoutName<ConnectionSpec>(connection))
}

/** A route's spec, to be kept. */
export function storedRoute(route: Route): unknown {
  const { source, sink } = route
  return z.encode(routeSpecs[source.protocol][sink.protocol], withoutName<RouteSpec>(route))
}

function withoutName<Spec extends object>(named: Spec): Spec {
  const spec = { ...named }
  Reflect.deleteProperty(spec, 'name')
  return spec
}

/** Reads what is kept, and checks it as strictly as documents are. Never throws; one bad route leaves the others. */
export function parseStored(specs: StoredSpecs): Stored {
  const stored: Stored = { connections: new Map(), routes: new Map(), problems: [] }
  for (const [name, spec] of Object.entries(specs.connections)) {
    const read = connectionSpec.safeParse(spec)
    if (read.success) stored.connections.set(name, { name, ...read.data })
    else stored.problems.push(...problemsOf('Connection', name, findingsOf(read.error)))
  }
  for (const [name, spec] of Object.entries(specs.routes)) {
    const { data, findings } = readBest(schemasFor(routeSpecs, spec, stored.connections), spec)
    const route = data && { name, ...data }
    if (route !== undefined) findings.push(...checksOf(route, stored.connections))
    if (route !== undefined && findings.length === 0) stored.routes.set(name, route)
    else stored.problems.push(...problemsOf('Route', name, findings))
  }
  for (const [{ name }, loop] of checkLoops([...stored.routes.values()], stored.connections)) {
    if (loop.severity === 'warning') continue
    stored.routes.delete(name)
    stored.problems.push(...problemsOf('Route', name, [loop]))
  }
  return stored
}

function checksOf(route: Route, connections: ReadonlyMap<string, Connection>): Finding[] {
  const ends = { source: route.source.connection, sink: route.sink.connection }
  const findings = [...checkRoute(route), ...checkEnds(route, connections), ...checkReferences(ends, connections)]
  return findings.filter(({ severity }) => severity === 'error')
}

function problemsOf(kind: StoredProblem['kind'], name: string, findings: Finding[]): StoredProblem[] {
  return findings.map(({ code, message, path }) => {
    return { kind, name, code, message: `${kind} ${name}: ${path.map(String).join('.')}: ${message}` }
  })
}

/** The document that would make this connection. */
export const connectionDocument = (connection: Connection): object => ({
  apiVersion: 'millrace.dev/v1',
  kind: 'Connection',
  metadata: { name: connection.name },
  spec: storedConnection(connection),
})

/** The document that would make this route. */
export const routeDocument = (route: Route): object => ({
  apiVersion: 'millrace.dev/v1',
  kind: 'Route',
  metadata: { name: route.name },
  spec: storedRoute(route),
})
