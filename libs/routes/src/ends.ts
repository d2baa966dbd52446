/** By which schema a route is read: the connections at its ends say it, for a route does not write what they speak. */
import type { z } from 'zod'
import { type Connection, type Protocol, protocolOf } from './connection.ts'
import { type Finding, findingsOf } from './finding.ts'
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
  const connection = known.get(String(fieldOf(fieldOf(spec, end), 'connection')))
  return connection && [protocolOf(connection)]
}

/** Reads a value by the schema that finds least fault with it: one unknown name makes nothing else of a route wrong. */
export function readBest<T>(schemas: readonly z.ZodType<T>[], value: unknown): Read<T> {
  const reads = schemas.map((schema): Read<T> => {
    const { data, error } = schema.safeParse(value)
    return { schema, data, findings: error === undefined ? [] : findingsOf(error) }
  })
  return reads.reduce((best, read) => (read.findings.length < best.findings.length ? read : best))
}

/** What a schema made of a value, or found wrong with it. */
export interface Read<T> {
  schema: z.ZodType<T>
  data: T | undefined
  findings: Finding[]
}

/** A field of what may be a map; undefined where there is none. */
export function fieldOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}
