/**
 * Native documents that stand for what a document of another product says. They are read and checked like any that a user
 * wrote; each of their fields knows the field that it comes from, so that what is wrong is told where the user wrote it.
 */
import type { Finding } from './finding.ts'

type Path = readonly PropertyKey[]

/** What another product's document means here. */
export interface Translation {
  /** What is wrong with the document itself, and what it says that is different here. Paths are of that document. */
  findings: Finding[]
  documents: Derived[]
}

/** A native document, as a user could have written it. */
export interface Derived {
  value: unknown
  /** Where in the other document a field of this one comes from. */
  origin: (path: Path) => Path
  /** What to do, in the other product's words, for hints that are about a native field. */
  hints: Hints
}

/** Hints by the native ones that they stand for. */
type Hints = ReadonlyMap<string, string>

/** A value of a native document, and the path of the field that says it. */
class Placed {
  readonly path: Path
  readonly value: unknown

  constructor(path: Path, value: unknown) {
    this.path = path
    this.value = value
  }
}

/** A value that comes from this field; undefined: it is left out. */
export const from = (path: Path, value: unknown): unknown => new Placed(path, value)

/** What a native document is made of: values, some of which come from fields of their own; the others from `whole`. */
export interface Parts {
  kind: 'Connection' | 'Route'
  name: unknown
  spec: object
  whole: Path
  hints?: Hints
}

/** Makes a native document. */
export function derive({ kind, name, spec, whole, hints = new Map() }: Parts): Derived {
  const origins = new Map<string, Path>()
  const document = { apiVersion: 'millrace.dev/v1', kind, metadata: { name }, spec }
  const value = unwrap(document, { path: [], origins })
  const origin = (path: Path): Path =>
    path.length === 0 ? whole : (origins.get(keyOf(path)) ?? origin(path.slice(0, -1)))
  return { value, origin, hints }
}

function unwrap(value: unknown, at: { path: Path; origins: Map<string, Path> }): unknown {
  const { path, origins } = at
  if (value instanceof Placed) {
    origins.set(keyOf(path), value.path)
    return unwrap(value.value, at)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([key, held]) => [key, unwrap(held, { path: [...path, key], origins })])
  return Object.fromEntries(entries.filter(([, held]) => held !== undefined))
}

const keyOf = (path: Path): string => path.map(String).join('\0')
