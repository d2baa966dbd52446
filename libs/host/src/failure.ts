import { AlarmError, FencedError, type Problem } from '@millrace/bus'
import type { Redactor } from '@millrace/telemetry'

/** What an actor's error is to people and to the coordinator. */
export interface Failure {
  problem: Problem
  /** Starting it again can't help (fenced), or could do harm (alarm, R5). */
  final: boolean
}

/** Reads an error that an actor threw; errors of libs bring their own `code`. */
export function problemOf(error: unknown, redactor: Redactor): Failure {
  const message = redactor.clean(error instanceof Error ? error.message : String(error))
  if (error instanceof FencedError) return { problem: { code: 'fenced', message }, final: true }
  if (error instanceof AlarmError) return { problem: { code: error.code, message }, final: true }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed'
  return { problem: { code, message }, final: false }
}
