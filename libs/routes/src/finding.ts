/** What a check found in one document, by the path of its field; a place in a file is added by who knows the file. */
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Severity } from './problem.ts'

/** One finding. */
export interface Finding {
  severity: Severity
  code: string
  message: string
  hint?: string | undefined
  path: readonly PropertyKey[]
  /** Where the finding points: at the key, or so far into the text; absent: at the value. */
  at?: 'key' | number | undefined
}

/**
 * What a schema found, told in full: one finding for each unknown field. What only follows from a misspelt name (the
 * field that was meant is missing) is not told as well.
 */
export function findingsOf(error: z.ZodError): Finding[] {
  const unknown = error.issues.flatMap(issue => (issue.code === 'unrecognized_keys' ? unknownFields(issue) : []))
  const meant = new Set(unknown.map(field => field.meant))
  const others = error.issues
    .filter(issue => issue.code !== 'unrecognized_keys')
    .map(findingOf)
    .filter(({ path, code, message }) => {
      if (code === 'exactly_one') return !unknown.some(field => keyOf(field.finding.path.slice(0, -1)) === keyOf(path))
      return !(meant.has(keyOf(path)) && message.startsWith('missing'))
    })
  return [...unknown.map(field => field.finding), ...others]
}

interface UnknownField {
  finding: Finding
  /** The path of the field that was meant, as a key. */
  meant: string | undefined
}

/** The message of such an issue is the list of the known fields: see `fields`. */
function unknownFields({
  keys,
  path,
  message: known,
}: z.core.$ZodIssueUnrecognizedKeys & { message: string }): UnknownField[] {
  return keys.map(key => {
    if (secretKey.test(key)) return { finding: inlineSecret([...path, key]), meant: undefined }
    const near = nearest(key, known.split(', '))
    const hint = near === undefined ? '' : `; did you mean "${near}"?`
    const finding = errorAt([...path, key], 'unknown_field', `unknown field; known here: ${known}${hint}`, 'key')
    return { finding, meant: near && keyOf([...path, near]) }
  })
}

/** What a secret would be called that stands in a document. */
const secretKey =
  /^(user(name)?|pass(word|wd|phrase)?|secret|token|(api|access|private|shared|client|account)[._-]?(key|secret|token)|connection[._-]?string|jaas|sasl[._-]?(password|username)|credentials?)$/i

function inlineSecret(path: readonly PropertyKey[]): Finding {
  const hint = 'put it into a file or variable of the services, and name that with secretName'
  return { ...errorAt(path, 'inline_secret', 'a secret never stands in a document', 'key'), hint }
}

const keyOf = (path: readonly PropertyKey[]): string => path.map(String).join('\0')

/** An error at a field. */
export function errorAt(path: readonly PropertyKey[], code: string, message: string, at?: 'key' | number): Finding {
  return { severity: 'error', code, message, path, at }
}

/** A warning at a field. */
export function warningAt(path: readonly PropertyKey[], code: string, message: string): Finding {
  return { severity: 'warning', code, message, path }
}

/** What a field of another product becomes here, or that it says nothing here. */
export function noteAt(path: readonly PropertyKey[], code: string, message: string): Finding {
  return { severity: 'note', code, message, path }
}

function findingOf(issue: z.core.$ZodIssue): Finding {
  const params: Record<string, unknown> = issue.code === 'custom' ? (issue.params ?? {}) : {}
  const code = typeof params.code === 'string' ? params.code : 'invalid_value'
  const hint = typeof params.hint === 'string' ? params.hint : undefined
  const at = typeof params.offset === 'number' ? params.offset : undefined
  return { ...errorAt(issue.path, code, issue.message, at), hint }
}
