/**
 * Commits a sink's position behind its back: at most every 100 ms or 4 MB, one commit at a time, and all of it when
 * the lane is drained.
 */
import type { Position, Totals } from '@millrace/bus'

const everyMs = 100
const everyBytes = 4 * 2 ** 20

/** One for each run of a sink. */
export class Committer {
  readonly #position: Position
  readonly #failed: (error: unknown) => void
  #sequence: number
  #totals: Totals
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #stopped = false

  /** `failed` is called when a commit can't be made: another owner has the position, or the signal aborted. */
  constructor(position: Position, failed: (error: unknown) => void) {
    this.#position = position
    this.#failed = failed
    this.#sequence = position.sequence
    this.#totals = position.totals
  }

  /** The lane is delivered up to here; `bytes` more than before. The totals are copied. */
  reached(sequence: number, totals: Totals, bytes: number): void {
    this.#sequence = sequence
    this.#totals = { ...totals }
    this.#bytes += bytes
    if (this.#bytes >= everyBytes && this.#committing === undefined) this.#begin()
    else this.#timer ??= setTimeout(() => this.#begin(), everyMs)
  }

  /** Commits what is not yet committed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#committing
    if (this.#sequence !== this.#position.sequence) await this.#commit()
  }

  /** Commits nothing more. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #begin(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#committing ??= this.#commit()
      .catch(this.#failed)
      .finally(() => {
        this.#committing = undefined
        // What was delivered while this one was under way.
        if (!this.#stopped && this.#sequence !== this.#position.sequence) {
          this.#timer ??= setTimeout(() => this.#begin(), everyMs)
        }
      })
  }

  async #commit(): Promise<void> {
    this.#bytes = 0
    await this.#position.commit(this.#sequence, this.#totals)
  }
}
