/** By which schema a route is read: the connections at its ends say it, for a route does not write what they speak. */
import { fieldOf } from './attempt.ts'
import { type Connection, type Protocol, protocolOf } from './connection.ts'
import type { ByEnds } from './route.ts'

/** Connections by name; undefined is one that exists and is not valid, so that nothing can be said of its use. */
export type KnownConnections = ReadonlyMap<string, Connection | undefined>

/**
 * The schemas that a route with this spec may be read by, the likeliest first: one, unless an end names no connection
 * that can be read.
 */
export function schemasFor<T>(schemas: ByEnds<T>, spec: unknown, known: KnownConnections): T[] {
  const sources = spokenAt('source', spec, known) ?? ['mqtt', 'kafka']
  const sinks = spokenAt('sink', spec, known) ?? ['kafka', 'mqtt']
  return sources.flatMap(source => sinks.map(sink => schemas[source][sink]))
}

function spokenAt(end: 'source' | 'sink', spec: unknown, known: KnownConnections): Protocol[] | undefined {
  const name = fieldOf(fieldOf(spec, end), 'connection')
  const connection = typeof name === 'string' ? known.get(name) : undefined
  return connection && [protocolOf(connection)]
}
