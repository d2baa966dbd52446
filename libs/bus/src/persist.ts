/** Trying again, for as long as it takes (R7, R10). */
import { backoff, delay } from '@millrace/actor'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { Bus } from './connect.ts'
import { HoldError, type Problem, StoppedError, UnknownOutcomeError } from './errors.ts'
import { holdProblem, isStreamMissing } from './refusals.ts'

/** Who writes, and until when. */
export interface Owner {
  bus: Bus
  /** Nothing is sent any more once it has aborted. */
  signal: AbortSignal
  /** R11: asked before everything that is sent; false means that nothing more may be. */
  mayWrite?: () => boolean | Promise<boolean>
  /** Told why it has to wait, and (undefined) that it goes on. */
  tell: (problem: Problem | undefined) => void
}

/**
 * Makes the attempt again and again while what it meets may pass: no answer, no connection, a full stream, a full
 * disk. Rejects with StoppedError when the owner may not go on, and with whatever else the attempt throws.
 * `stream` is for the words.
 */
export async function persist<T>(owner: Owner, stream: string, attempt: () => Promise<T>): Promise<T> {
  const wait = backoff({ first: 50, cap: 5_000 })
  for (let told = false; ; told = true) {
    await owner.bus.whenConnected(owner.signal)
    if (owner.mayWrite !== undefined && !(await owner.mayWrite())) throw new StoppedError('No longer the owner.')
    if (owner.signal.aborted) throw new StoppedError('Stopped.')
    try {
      const answer = await attempt()
      if (told) owner.tell(undefined)
      return answer
    } catch (error) {
      const passes = [UnknownOutcomeError, HoldError, JetStreamApiError].some(type => error instanceof type)
      if (!passes || isStreamMissing(error)) throw error
      owner.tell(holdProblem(error, stream))
    }
    await delay(wait.next(), owner.signal)
  }
}
