/** Documents -> connections and routes, with every problem of every document in one pass. */
import type { Connection } from './connection.ts'
import { parseFile, type SourceFile } from './document.ts'
import { type Draft, draftsOf, inSpec, isValid, originOf, problemsOf, readRoute, type Written } from './draft.ts'
import type { KnownConnections } from './ends.ts'
import { errorAt } from './finding.ts'
import { checkGroups } from './groups.ts'
import { connectorsAmong } from './iot-mq/known-connectors.ts'
import { isTopicMap } from './iot-mq/translate.ts'
import { checkLoops } from './loops.ts'
import type { DocumentProblem } from './problem.ts'
import { isProperties, parseProperties } from './properties/parse.ts'
import type { Route } from './route.ts'

/** What was read. The valid documents are there also where others have problems. */
export interface Documents {
  connections: Connection[]
  routes: Route[]
  problems: DocumentProblem[]
}

/** What applies already where the documents are applied; a document of the same name takes its place. */
export interface Known {
  connections: Iterable<Connection>
  routes: Iterable<Route>
}

/**
 * Reads documents, any number a file: native ones (`apiVersion: millrace.dev/v1`, kinds `Connection` and `Route`), and
 * those of Azure IoT MQ (`KafkaConnector`, `KafkaConnectorTopicMap`), which stand for native ones, as does a Kafka client's
 * `.properties` file. Routes may name these connections, and those `known` already, and are checked
 * beside the routes that are known. Never throws.
 */
export function readDocuments(files: readonly SourceFile[], known: Known = { connections: [], routes: [] }): Documents {
  const problems: DocumentProblem[] = []
  const documents: Written[] = []
  for (const source of files) {
    const { file } = source
    const parsed = isProperties(source) ? parseProperties(source) : parseFile(source.text)
    const faults = [...parsed.faults, ...parsed.documents.flatMap(document => document.faults)]
    problems.push(...faults.map(fault => ({ severity: 'error' as const, file, ...fault })))
    documents.push(...parsed.documents.map(document => ({ file, document })))
  }
  const { drafts, named } = draftAll(documents, known.connections)
  for (const draft of drafts) {
    if (draft.kind === 'Route') readRoute(draft, named)
    checkAmongOthers(draft, drafts)
  }
  checkAmongRoutes(drafts, { named, known: known.routes })
  problems.push(...drafts.flatMap(problemsOf))
  const valid = drafts.filter(isValid)
  return {
    connections: valid.flatMap(({ connection }) => connection ?? []),
    routes: valid.flatMap(({ route }) => route ?? []),
    problems: withoutRepeats(problems.sort(byPlace(files))),
  }
}

/** What the documents are, with all connections read: a topic map can be told of only when its connector is known. */
function draftAll(documents: readonly Written[], known: Iterable<Connection>) {
  const [maps, others] = [true, false].map(isMap =>
    documents.filter(({ document }) => isTopicMap(document.value) === isMap),
  )
  const drafts = (others ?? []).flatMap(one => draftsOf(one, new Map()))
  const named = new Map<string, Connection | undefined>()
  for (const connection of known) named.set(connection.name, connection)
  for (const { kind, name, connection } of drafts) {
    if (kind === 'Connection' && typeof name === 'string') named.set(name, connection)
  }
  const connectors = connectorsAmong(
    documents.map(({ document }) => document.value),
    named,
  )
  drafts.push(...(maps ?? []).flatMap(one => draftsOf(one, connectors)))
  return { drafts, named }
}

function checkAmongOthers(draft: Draft, drafts: readonly Draft[]): void {
  const first = drafts.find(other => other.kind === draft.kind && other.name === draft.name)
  if (typeof draft.name === 'string' && typeof draft.kind === 'string' && first !== undefined && first !== draft) {
    const { line } = first.document.place(originOf(first, ['metadata', 'name']))
    const message = `there is another ${draft.kind} of this name, at ${first.file}:${line}`
    draft.findings.push(errorAt(['metadata', 'name'], 'duplicate_name', message))
  }
}

/** What routes say together: these, and those that are there already and stay. */
function checkAmongRoutes(
  drafts: readonly Draft[],
  { named, known }: { named: KnownConnections; known: Iterable<Route> },
): void {
  const own = drafts.flatMap(({ route }) => route ?? [])
  const replaced = new Set(drafts.filter(({ kind }) => kind === 'Route').map(({ name }) => name))
  const routes = [...own, ...[...known].filter(({ name }) => !replaced.has(name))]
  for (const found of [checkLoops(routes, named), checkGroups(routes, named)]) {
    for (const { route, findings } of drafts) {
      const finding = route && found.get(route)
      if (finding !== undefined) findings.push(...inSpec([finding]))
    }
  }
}

/** What several routes of one topic map have of it in common is told once. */
function withoutRepeats(problems: readonly DocumentProblem[]): DocumentProblem[] {
  const seen = new Set<string>()
  return problems.filter(({ file, line, column, message }) => {
    const key = JSON.stringify([file, line, column, message])
    return !seen.has(key) && seen.add(key)
  })
}

function byPlace(files: readonly SourceFile[]): (a: DocumentProblem, b: DocumentProblem) => number {
  const order = new Map(files.map(({ file }, index) => [file, index]))
  return (a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column
}
