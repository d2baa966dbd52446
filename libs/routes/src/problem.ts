/** What is wrong with a document, and where: told all at once, each with a place and a way out. */

/** Where something stands in a file; both count from 1, columns in UTF-16 units. */
export interface Place {
  line: number
  column: number
}

/** How much a problem matters. */
export type Severity = 'error' | 'warning' | 'note'

/** One problem of one document. A message never repeats what might be a secret. */
export interface DocumentProblem extends Place {
  /** An error refuses the document; a warning is told, and the document is taken; a note says what it becomes here. */
  severity: Severity
  /** Snake case, from a small closed set, e.g. `unknown_field`, `missing_connection`, `inline_secret`. */
  code: string
  /** The file's name as it was given. */
  file: string
  message: string
  /** What to do. */
  hint?: string | undefined
}

/** `file:line:column: message (hint)`, with `warning: ` or `note: ` before the message of one. */
export function formatProblem(problem: DocumentProblem): string {
  const { file, line, column, severity, message, hint } = problem
  const kind = severity === 'error' ? '' : `${severity}: `
  return `${file}:${line}:${column}: ${kind}${message}${hint === undefined ? '' : ` (${hint})`}`
}
