import { AlarmError, FencedError, PermissionError, type Problem } from '@millrace/bus'
import type { Logger, Redactor } from '@millrace/telemetry'

/** What an actor's error is to people and to the coordinator. */
export interface Failure {
  problem: Problem
  /** Starting it again can't help (fenced, not permitted), or could do harm (alarm, R5). */
  final: boolean
}

/** Reads an error that an actor threw; errors of libs bring their own `code`. */
export function problemOf(error: unknown, redactor: Redactor): Failure {
  const message = redactor.clean(error instanceof Error ? error.message : String(error))
  if (error instanceof FencedError) return { problem: { code: 'fenced', message }, final: true }
  if (error instanceof AlarmError) return { problem: { code: error.code, message }, final: true }
  if (error instanceof PermissionError) return { problem: { code: 'not_permitted', message }, final: true }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed'
  return { problem: { code, message }, final: false }
}

/** A problem as others may see it: a foreign error's words may hold what it was sent. */
export function cleaned({ code, message }: Problem, redactor: Redactor): Problem {
  return { code, message: redactor.clean(message) }
}

/** Milliseconds for which a reason is not told again. */
const quiet = 60_000

/** Logs why something fails that is tried for ever: each reason when it is new, and once a minute. */
export function complaints(log: Logger, what: string): (error: unknown) => void {
  let told = ''
  let at = -Infinity
  return error => {
    const reason = error instanceof Error ? error.message : String(error)
    if (reason === told && performance.now() - at < quiet) return
    told = reason
    at = performance.now()
    log.warn({ err: error }, what)
  }
}
