/** `millrace convert`: the native documents that others stand for, and the secrets that a client's properties hold. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectionDocument, routeDocument, secretsOf, type SourceFile } from '@millrace/routes'
import { documentsText, takeDocuments } from './documents.ts'
import { CommandError } from './errors.ts'
import { readFiles } from './files.ts'
import type { Output, Terminal } from './terminal.ts'

/** Prints what documents of any kind become; standard error tells what is different here. */
export async function convert(
  paths: readonly string[],
  { output, secrets }: { secrets?: string } & Output,
  terminal: Terminal,
): Promise<void> {
  const files = await readFiles(paths, terminal)
  const { connections, routes } = takeDocuments(files, terminal)
  if (secrets !== undefined) for (const file of files) await writeSecrets(file, secrets, terminal)
  terminal.out(documentsText([...connections.map(connectionDocument), ...routes.map(routeDocument)], output))
}

/** Writes `<folder>/<secret>/<key>`, where services look for secrets; only this user may read them. */
async function writeSecrets(file: SourceFile, folder: string, terminal: Terminal): Promise<void> {
  const secret = secretsOf(file)
  if (secret === undefined) return
  const place = join(folder, secret.secretName)
  for (const [key, value] of secret.values) {
    const path = join(place, key)
    // Who reads it cuts off one line end.
    const content = `${value}\n`
    try {
      await mkdir(place, { recursive: true, mode: 0o700 })
      await writeFile(path, content, { mode: 0o600, flag: 'wx' })
      terminal.err(`wrote ${path}`)
    } catch (error) {
      if (!(await isThere(path, content))) throw unwritable(path, error)
    }
  }
}

const isThere = async (path: string, content: string): Promise<boolean> =>
  (await readFile(path, 'utf8').catch(() => undefined)) === content

function unwritable(path: string, cause: unknown): CommandError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  const reason = code === 'EEXIST' ? 'it is there already, with another content' : code
  return new CommandError('failed', `${path} was not written: ${reason}`, { cause })
}
