import { delay } from '@millrace/actor'

/** A wait that somebody else may end early. What is told while nobody waits ends the next wait at once. */
export class Wake {
  #told = false
  #end: (() => void) | undefined

  /** Ends the wait, or the next one. */
  now(): void {
    this.#told = true
    this.#end?.()
  }

  /** Resolves after `ms` milliseconds, when told, or when the signal aborts. One waits at a time. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#told && ms > 0 && !signal.aborted) {
      const early = new AbortController()
      const end = () => early.abort()
      this.#end = end
      signal.addEventListener('abort', end)
      await delay(ms, early.signal)
      signal.removeEventListener('abort', end)
      this.#end = undefined
    }
    this.#told = false
  }
}
