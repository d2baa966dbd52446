/** Reading a value by a schema, so that as much as possible can be said of it. */
import type { z } from 'zod'
import { type Finding, findingsOf } from './finding.ts'

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

/** Reads a value; what is wrong is found, and left out of a second attempt, so that what is right is there. */
export function readWith<T>(schemas: readonly z.ZodType<T>[], value: unknown, findings: Finding[]): T | undefined {
  const read = readBest(schemas, value)
  if (read.data !== undefined) return read.data
  findings.push(...read.findings)
  const rest: unknown = structuredClone(value)
  for (const { path } of read.findings) leaveOut(rest, path)
  return read.schema.safeParse(rest).data
}

function leaveOut(value: unknown, path: readonly PropertyKey[]): void {
  const last = path.at(-1)
  const holder = path.slice(0, -1).reduce(fieldOf, value)
  if (last !== undefined && typeof holder === 'object' && holder !== null) Reflect.deleteProperty(holder, last)
}
