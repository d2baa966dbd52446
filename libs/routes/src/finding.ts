/** What a check found in one document, by the path of its field; a place in a file is added by who knows the file. */
import type { z } from 'zod'
import { unknownField } from './fields.ts'

/** One finding. */
export interface Finding {
  severity: 'error' | 'warning'
  code: string
  message: string
  hint?: string | undefined
  path: readonly PropertyKey[]
  /** Where the finding points: at the key, or so far into the text; absent: at the value. */
  at?: 'key' | number | undefined
}

/** What a schema found, told in full: one finding for each unknown field. */
export function findingsOf(error: z.ZodError): Finding[] {
  return error.issues.flatMap(issue => {
    if (issue.code !== 'unrecognized_keys') return [findingOf(issue)]
    return issue.keys.map(key =>
      errorAt([...issue.path, key], 'unknown_field', unknownField(key, issue.message), 'key'),
    )
  })
}

/** An error at a field. */
export function errorAt(path: readonly PropertyKey[], code: string, message: string, at?: 'key' | number): Finding {
  return { severity: 'error', code, message, path, at }
}

/** A warning at a field. */
export function warningAt(path: readonly PropertyKey[], code: string, message: string): Finding {
  return { severity: 'warning', code, message, path }
}

function findingOf(issue: z.core.$ZodIssue): Finding {
  const params: Record<string, unknown> = issue.code === 'custom' ? (issue.params ?? {}) : {}
  const code = typeof params.code === 'string' ? params.code : 'invalid_value'
  const hint = typeof params.hint === 'string' ? params.hint : undefined
  const at = typeof params.offset === 'number' ? params.offset : undefined
  return { ...errorAt(issue.path, code, issue.message, at), hint }
}
