/** `millrace lint` and `millrace apply`. */
import { diff, type Documents, readDocuments, type SourceFile, storedConnection, storedRoute } from '@millrace/routes'
import { describeChanges } from './changes.ts'
import { refuseBeforehand, takeDocuments } from './documents.ts'
import { readFiles } from './files.ts'
import { askLeader, readRoutes, untilLed, withBus } from './installation.ts'
import type { Output, Terminal } from './terminal.ts'

/** Checks documents without an installation. */
export async function lint({ file, output }: { file: string[] } & Output, terminal: Terminal): Promise<void> {
  const files = await readFiles(file, terminal)
  if (output === 'json') terminal.out(JSON.stringify(readDocuments(files), null, 2))
  const { connections, routes } = takeDocuments(files, terminal)
  if (output === 'json') return
  terminal.out(`valid: ${counted(connections, 'connection')}, ${counted(routes, 'route')}`)
}

interface ApplyOptions extends Output {
  dryRun?: true
}

/** Adds documents to what applies, or replaces what has their names; what they do not name stays as it is. */
export async function apply(
  { file, ...options }: { file: string[] } & ApplyOptions,
  terminal: Terminal,
): Promise<void> {
  await applyFiles(await readFiles(file, terminal), options, terminal)
}

/** Applies files whole, or not at all; returns what they hold. Throws CommandError, having told what is wrong with them. */
export async function applyFiles(
  files: readonly SourceFile[],
  { dryRun, output }: ApplyOptions,
  terminal: Terminal,
): Promise<Documents> {
  refuseBeforehand(files, terminal)
  return await withBus(terminal, async bus => {
    await untilLed(bus, terminal.signal)
    const before = await readRoutes(bus)
    const known = { connections: before.connections.values(), routes: before.routes.values() }
    const documents = takeDocuments(files, terminal, known)
    const { connections, routes } = documents
    const after = {
      connections: new Map([...before.connections, ...connections.map(one => [one.name, one] as const)]),
      routes: new Map([...before.routes, ...routes.map(one => [one.name, one] as const)]),
    }
    const changes = diff(before, after).filter(({ change }) => change !== 'unchanged')
    if (output === undefined) for (const line of describeChanges(changes)) terminal.out(line)
    if (changes.length === 0 && output === undefined) {
      terminal.out('nothing changes')
      return documents
    }
    const request = {
      op: 'apply',
      connections: Object.fromEntries(connections.map(one => [one.name, storedConnection(one)])),
      routes: Object.fromEntries(routes.map(one => [one.name, storedRoute(one)])),
      ...(dryRun ? { dryRun } : {}),
    }
    const { revision } = await askLeader(bus, request, terminal.signal)
    if (output === 'json') terminal.out(JSON.stringify({ revision, dryRun: dryRun ?? false, changes }, null, 2))
    else terminal.out(dryRun ? 'valid; nothing was changed' : `applied, revision ${String(revision)}`)
    return documents
  })
}

const counted = (list: readonly unknown[], noun: string): string =>
  `${list.length} ${noun}${list.length === 1 ? '' : 's'}`
