/** Documents on their way from text to connections and routes: what each is, and what was found in it so far. */
import { z } from 'zod'
import { fieldOf, readWith } from './attempt.ts'
import { checkConnection, checkEnds, checkReferences, checkRoute } from './checks.ts'
import { type Connection, connectionSpec } from './connection.ts'
import type { Derived } from './derived.ts'
import type { ParsedDocument } from './document.ts'
import { type KnownConnections, schemasFor } from './ends.ts'
import { fields, name, oneOf } from './fields.ts'
import type { Finding } from './finding.ts'
import type { Connectors } from './iot-mq/known-connectors.ts'
import { translateIotMq } from './iot-mq/translate.ts'
import type { DocumentProblem } from './problem.ts'
import { connectionOf } from './properties/connection.ts'
import { ClientProperties } from './properties/parse.ts'
import { byEnds, type Route, routeSpecs } from './route.ts'

/** One document of a file. */
export interface Written {
  file: string
  document: ParsedDocument
}

/** One native document on its way, or one of another product, which has been translated. */
export interface Draft extends Written {
  kind: unknown
  name: unknown
  findings: Finding[]
  /** As it was written; for looking at single fields of what is not valid as a whole. */
  spec: unknown
  /** Read; where it has errors, without the fields that have them, so that the rest can be checked too. */
  connection?: Connection | undefined
  route?: Route | undefined
  /** Of a native document that stands for a part of another. */
  of?: (Pick<Derived, 'origin' | 'hints'> & { whole: Draft }) | undefined
}

const header = { apiVersion: oneOf('millrace.dev/v1'), metadata: fields({ name: name() }) }
const connectionKind = fields({ ...header, kind: oneOf('Connection'), spec: connectionSpec })
const routeKinds = byEnds((source, sink) => fields({ ...header, kind: oneOf('Route'), spec: routeSpecs[source][sink] }))
const anyKind = fields({ ...header, kind: oneOf('Connection', 'Route'), spec: z.unknown() })

/** What a document is, and the native documents that it stands for where it is not one itself. */
export function draftsOf({ file, document }: Written, connectors: Connectors): Draft[] {
  const { value } = document
  const translation = value instanceof ClientProperties ? connectionOf(value) : translateIotMq(value, connectors)
  if (translation === undefined) return [nativeDraft({ file, document })]
  const whole: Draft = { ...emptyDraft({ file, document }), findings: translation.findings }
  const native = translation.documents.map(({ value, origin, hints }) => ({
    ...nativeDraft({ file, document: { ...document, value } }),
    of: { whole, origin, hints },
  }))
  return [whole, ...native]
}

function emptyDraft({ file, document }: Written): Draft {
  const { value } = document
  const kind = fieldOf(value, 'kind')
  const name = fieldOf(fieldOf(value, 'metadata'), 'name')
  return { file, document, kind, name, spec: fieldOf(value, 'spec'), findings: [] }
}

/** A document, and the connection where it is one. A route is read when all connections are known: see `readRoute`. */
function nativeDraft(written: Written): Draft {
  const draft = emptyDraft(written)
  if (draft.kind === 'Connection') {
    const read = readWith([connectionKind], draft.document.value, draft.findings)
    draft.connection = read && { name: read.metadata.name, ...read.spec }
    if (draft.connection !== undefined) draft.findings.push(...inSpec(checkConnection(draft.connection)))
  } else if (draft.kind !== 'Route') readWith([anyKind], draft.document.value, draft.findings)
  return draft
}

/** Reads the route of a draft that is one. */
export function readRoute(draft: Draft, known: KnownConnections): void {
  const read = readWith(schemasFor(routeKinds, draft.spec, known), draft.document.value, draft.findings)
  draft.route = read && { name: read.metadata.name, ...read.spec }
  if (draft.route !== undefined) {
    draft.findings.push(...inSpec([...checkRoute(draft.route), ...checkEnds(draft.route, known)]))
  }
  // What a topic map names is its connector: that there is one was checked there.
  if (draft.of !== undefined) return
  const end = (name: string) => fieldOf(fieldOf(draft.spec, name), 'connection')
  draft.findings.push(...inSpec(checkReferences({ source: end('source'), sink: end('sink') }, known)))
}

/** The same findings of a spec, by the path in its document. */
export const inSpec = (findings: Finding[]): Finding[] =>
  findings.map(finding => ({ ...finding, path: ['spec', ...finding.path] }))

/** Whether a document can be taken: neither it, nor what it stands for a part of, has an error. */
export function isValid({ document, findings, of }: Draft): boolean {
  const hasError = findings.some(({ severity }) => severity === 'error')
  return !hasError && document.faults.length === 0 && (of === undefined || isValid(of.whole))
}

/** A path in a draft's document, as the user wrote it. */
export const originOf = ({ of }: Draft, path: readonly PropertyKey[]): readonly PropertyKey[] =>
  of === undefined ? path : of.origin(path)

/**
 * What was found, each with its place, and the path of its field as the user wrote it. Of a field of another product's
 * that is wrong itself, what was made of it is not told as well.
 */
export function problemsOf(draft: Draft): DocumentProblem[] {
  const { file, document, findings, of } = draft
  const wrong = new Set(
    of?.whole.findings.filter(({ severity }) => severity === 'error').map(({ path }) => path.join()),
  )
  const own = findings.filter(({ path }) => !wrong.has(originOf(draft, path).join()))
  return own.map(({ severity, code, message, hint: native, path, at }) => {
    const hint = (native && of?.hints.get(native)) ?? native
    const written = originOf(draft, path)
    const field = written.length === 0 ? '' : `${written.map(String).join('.')}: `
    // A place inside a text is one in a text of ours, where the document is not native.
    const place = document.place(written, of === undefined || at === 'key' ? at : undefined)
    return { severity, code, file, ...place, message: field + message, hint }
  })
}
