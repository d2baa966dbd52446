/** The documents that `-f` names. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SourceFile } from '@millrace/routes'
import { CommandError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** One byte more than a file of documents may have; who reads them then says so. */
const enough = 2 ** 20 + 1

/**
 * Reads files, every `.yaml`, `.yml`, `.json` and `.properties` of folders (not of those in them), and standard input where
 * `-` stands.
 */
export async function readFiles(paths: readonly string[], terminal: Terminal): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const path of paths) {
    if (path === '-') files.push({ file: 'stdin', text: await readText(terminal.stdin) })
    else for (const file of await filesOf(path)) files.push({ file, text: await readOne(file) })
  }
  return files
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = (await readdir(path)).filter(name => /\.(ya?ml|json|properties)$/.test(name)).sort()
    if (names.length > 0) return names.map(name => join(path, name))
  } catch (error) {
    throw unreadable(path, error)
  }
  throw new CommandError('invalid', `${path}: there is no .yaml, .yml, .json or .properties file in this folder`)
}

async function readOne(file: string): Promise<string> {
  try {
    return await readText(createReadStream(file))
  } catch (error) {
    throw unreadable(file, error)
  }
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= enough) break
  }
  return Buffer.concat(chunks).toString()
}

function unreadable(path: string, error: unknown): CommandError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  const reasons: Record<string, string> = { ENOENT: 'there is no such file or folder', EACCES: 'it may not be read' }
  return new CommandError('invalid', `${path}: ${reasons[code] ?? code}`, { cause: error })
}
