/** `millrace get`: the documents that apply, as they could be applied again. */
import { connectionDocument, routeDocument } from '@millrace/routes'
import { documentsText } from './documents.ts'
import { CommandError } from './errors.ts'
import { readRoutes, withBus } from './installation.ts'
import type { Output, Terminal } from './terminal.ts'

/** The kinds of documents, as a command names them. */
export const kindNames = ['connection', 'route'] as const
export type KindName = (typeof kindNames)[number]

/** Prints all documents, those of a kind, or one. */
export async function get(
  kind: KindName | undefined,
  name: string | undefined,
  { output }: Output,
  terminal: Terminal,
): Promise<void> {
  const { connections, routes, document, problems } = await withBus(terminal, readRoutes)
  const documents = [
    ...[...connections.values()].map(one => ({
      kind: 'connection',
      name: one.name,
      document: connectionDocument(one),
    })),
    ...[...routes.values()]
      .filter(one => document.routes[one.name]?.deleting !== true)
      .map(one => ({ kind: 'route', name: one.name, document: routeDocument(one) })),
  ]
  for (const { message } of problems) terminal.err(`warning: kept, and not valid for this version: ${message}`)
  const asked = documents.filter(one => (kind ?? one.kind) === one.kind && (name ?? one.name) === one.name)
  if (name !== undefined && asked.length === 0) throw new CommandError('failed', missing(documents, kind, name))
  const shown = asked.map(one => one.document)
  terminal.out(documentsText(shown, output))
}

function missing(documents: readonly { kind: string; name: string }[], kind: string | undefined, name: string): string {
  const names = documents.filter(one => one.kind === kind).map(one => one.name)
  return `there is no ${kind} ${name}; there are: ${names.join(', ') || 'none'}`
}
