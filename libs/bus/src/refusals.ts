/** What JetStream's refusals mean for us. */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream'
import { HoldError, type Problem } from './errors.ts'

/** The compare-and-set was lost: the subject's last message is another than the one expected. */
export const isWrongLastSequence = (error: unknown): boolean =>
  hasCode(error, JetStreamApiCodes.StreamWrongLastSequence) ||
  hasCode(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown)

/** There is no such stream. */
export const isStreamMissing = (error: unknown): boolean => hasCode(error, JetStreamApiCodes.StreamNotFound)

const hasCode = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code

const fullCodes = new Set([
  10077, // maximum bytes (or messages) exceeded
  10047, // insufficient storage resources
  10023, // insufficient resources
  10122, // maximum bytes of the account
])

/** The stream, or what it lies in, has no room for it. */
export const isFull = (error: unknown): boolean => error instanceof JetStreamApiError && fullCodes.has(error.code)

/** What to tell people while an append to `stream` is tried again and again (R7, R10). */
export function holdProblem(error: unknown, stream: string): Problem {
  if (error instanceof HoldError) return error.problem
  const reason = error instanceof Error ? error.message : String(error)
  if (!(error instanceof JetStreamApiError)) {
    // A server whose disk is full does not refuse: it freezes the stream, says so in its log, and answers nobody.
    const message = `${reason} (storing in ${stream}). If it is up, look into its log: is its disk full?`
    return { code: 'nats_unreachable', message }
  }
  if (isFull(error)) {
    return { code: 'stream_full', message: `${stream} is full (${reason}): going on when there is room.` }
  }
  return { code: 'nats_refused', message: `NATS refused to store in ${stream}: ${reason}.` }
}
