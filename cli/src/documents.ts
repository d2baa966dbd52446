/** Documents as a command takes them: read, told of, refused. */
import { type Documents, formatProblem, type Known, readDocuments, type SourceFile } from '@millrace/routes'
import { stringify } from 'yaml'
import { CommandError } from './errors.ts'
import type { Output, Terminal } from './terminal.ts'

/** Reads documents and tells every problem; throws where one is an error, or where there are no documents. */
export function takeDocuments(files: readonly SourceFile[], terminal: Terminal, known?: Known): Documents {
  const documents = readDocuments(files, known)
  for (const problem of documents.problems) terminal.err(formatProblem(problem))
  refuseErrors(documents)
  if (documents.connections.length + documents.routes.length === 0) {
    throw new CommandError('invalid', `there are no documents in ${files.map(({ file }) => file).join(', ')}`)
  }
  return documents
}

/**
 * Throws where a document has an error, having told them, unless a connection is missing that may be at the installation:
 * which protocol it speaks says what else is an error.
 */
export function refuseBeforehand(files: readonly SourceFile[], terminal: Terminal): void {
  const { problems } = readDocuments(files)
  const isMissing = problems.some(({ code }) => code === 'missing_connection')
  if (!isMissing && problems.some(({ severity }) => severity === 'error')) takeDocuments(files, terminal)
}

/** Documents as a user could have written them: YAML, or a list in JSON. */
export function documentsText(documents: readonly object[], output: Output['output']): string {
  if (output === 'json') return JSON.stringify(documents, null, 2)
  return documents.map(one => stringify(one).trimEnd()).join('\n---\n')
}

function refuseErrors({ problems }: Documents): void {
  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (errors === 0) return
  throw new CommandError('invalid', `${errors} ${errors === 1 ? 'problem' : 'problems'}; nothing was changed`)
}
