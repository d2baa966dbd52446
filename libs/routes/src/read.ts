/** Documents -> connections and routes, with every problem of every document in one pass. */
import { z } from 'zod'
import { checkConnection, checkEnds, checkReferences, checkRoute } from './checks.ts'
import { type Connection, connectionSpec } from './connection.ts'
import { type ParsedDocument, parseFile, type SourceFile } from './document.ts'
import { fieldOf, type KnownConnections, readBest, schemasFor } from './ends.ts'
import { fields, name, oneOf } from './fields.ts'
import { errorAt, type Finding } from './finding.ts'
import { checkLoops } from './loops.ts'
import type { DocumentProblem } from './problem.ts'
import { byEnds, type Route, routeSpecs } from './route.ts'

/** What was read. The valid documents are there also where others have problems. */
export interface Documents {
  connections: Connection[]
  routes: Route[]
  problems: DocumentProblem[]
}

const header = { apiVersion: oneOf('millrace.dev/v1'), metadata: fields({ name: name() }) }
const connectionKind = fields({ ...header, kind: oneOf('Connection'), spec: connectionSpec })
const routeKinds = byEnds((source, sink) => fields({ ...header, kind: oneOf('Route'), spec: routeSpecs[source][sink] }))
const anyKind = fields({ ...header, kind: oneOf('Connection', 'Route'), spec: z.unknown() })

/** One document on its way: what it is, as far as that can be told, and what was found in it. */
interface Draft {
  file: string
  document: ParsedDocument
  kind: unknown
  name: unknown
  findings: Finding[]
  /** As it was written; for looking at single fields of what is not valid as a whole. */
  spec: unknown
  /** Read; where it has errors, without the fields that have them, so that the rest can be checked too. */
  connection?: Connection | undefined
  route?: Route | undefined
}

/**
 * Reads native documents (`apiVersion: millrace.dev/v1`, kinds `Connection` and `Route`), any number a file. Routes may
 * name these connections, and those `known` already. Never throws.
 */
export function readDocuments(files: readonly SourceFile[], known: readonly Connection[] = []): Documents {
  const problems: DocumentProblem[] = []
  const drafts: Draft[] = []
  for (const { file, text } of files) {
    const parsed = parseFile(text)
    const faults = [...parsed.faults, ...parsed.documents.flatMap(document => document.faults)]
    problems.push(...faults.map(fault => ({ severity: 'error' as const, file, ...fault })))
    drafts.push(...parsed.documents.map(document => draftOf(file, document)))
  }
  const named = new Map<string, Connection | undefined>(known.map(connection => [connection.name, connection]))
  for (const { kind, name, connection } of drafts) {
    if (kind === 'Connection' && typeof name === 'string') named.set(name, connection)
  }
  for (const draft of drafts) {
    if (draft.kind === 'Route') readRoute(draft, named)
    checkAmongOthers(draft, drafts)
  }
  const loops = checkLoops(
    drafts.flatMap(({ route }) => route ?? []),
    named,
  )
  for (const { route, findings } of drafts) {
    const loop = route && loops.get(route)
    if (loop !== undefined) findings.push(...inSpec([loop]))
  }
  problems.push(...drafts.flatMap(problemsOf))
  const valid = drafts.filter(
    ({ document, findings }) => document.faults.length === 0 && findings.every(({ severity }) => severity !== 'error'),
  )
  return {
    connections: valid.flatMap(({ connection }) => connection ?? []),
    routes: valid.flatMap(({ route }) => route ?? []),
    problems: problems.sort(byPlace(files)),
  }
}

/** A document, and the connection where it is one. A route is read when all connections are known: see `readRoute`. */
function draftOf(file: string, document: ParsedDocument): Draft {
  const { value } = document
  const kind = fieldOf(value, 'kind')
  const name = fieldOf(fieldOf(value, 'metadata'), 'name')
  const draft: Draft = { file, document, kind, name, spec: fieldOf(value, 'spec'), findings: [] }
  if (kind === 'Connection') {
    const read = readWith([connectionKind], value, draft.findings)
    draft.connection = read && { name: read.metadata.name, ...read.spec }
    if (draft.connection !== undefined) draft.findings.push(...inSpec(checkConnection(draft.connection)))
  } else if (kind !== 'Route') readWith([anyKind], value, draft.findings)
  return draft
}

function readRoute(draft: Draft, known: KnownConnections): void {
  const read = readWith(schemasFor(routeKinds, draft.spec, known), draft.document.value, draft.findings)
  draft.route = read && { name: read.metadata.name, ...read.spec }
  if (draft.route !== undefined) {
    draft.findings.push(...inSpec([...checkRoute(draft.route), ...checkEnds(draft.route, known)]))
  }
  const end = (name: string) => fieldOf(fieldOf(draft.spec, name), 'connection')
  draft.findings.push(...inSpec(checkReferences({ source: end('source'), sink: end('sink') }, known)))
}

/** Reads a value; what is wrong is found, and left out of a second attempt, so that what is right is there. */
function readWith<T>(schemas: readonly z.ZodType<T>[], value: unknown, findings: Finding[]): T | undefined {
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

function checkAmongOthers(draft: Draft, drafts: readonly Draft[]): void {
  const first = drafts.find(other => other.kind === draft.kind && other.name === draft.name)
  if (typeof draft.name === 'string' && first !== undefined && first !== draft) {
    const { line } = first.document.place(['metadata', 'name'])
    const message = `there is another ${String(draft.kind)} of this name, at ${first.file}:${line}`
    draft.findings.push(errorAt(['metadata', 'name'], 'duplicate_name', message))
  }
}

const inSpec = (findings: Finding[]): Finding[] =>
  findings.map(finding => ({ ...finding, path: ['spec', ...finding.path] }))

function problemsOf({ file, document, findings }: Draft): DocumentProblem[] {
  return findings.map(({ severity, code, message, hint, path, at }) => {
    const field = path.length === 0 ? '' : `${path.map(String).join('.')}: `
    return { severity, code, file, ...document.place(path, at), message: field + message, hint }
  })
}

function byPlace(files: readonly SourceFile[]): (a: DocumentProblem, b: DocumentProblem) => number {
  const order = new Map(files.map(({ file }, index) => [file, index]))
  return (a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column
}
