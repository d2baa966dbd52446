/**
 * Commits a sink's position behind its back: at most every 100 ms or 4 MB, one commit at a time, and all of it when
 * the lane is drained.
 */
import type { Place, Position, Totals } from '@millrace/bus'

const everyMs = 100
const everyBytes = 4 * 2 ** 20

/** One for each run of a sink. */
export class Committer {
  readonly #position: Position
  readonly #failed: (error: unknown) => void
  #place: Place
  #totals: Totals
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #stopped = false

  /** `failed` is called when a commit can't be made: another owner has the position, or the signal aborted. */
  constructor(position: Position, failed: (error: unknown) => void) {
    this.#position = position
    this.#failed = failed
    this.#place = position.place
    this.#totals = position.totals
  }

  /** The lane is delivered up to here; `bytes` more than before. The totals are copied. */
  reached(place: Readonly<Place>, totals: Totals, bytes: number): void {
    this.#place = { sequence: place.sequence, writer: place.writer }
    this.#totals = { ...totals }
    this.#bytes += bytes
    if (this.#bytes >= everyBytes && this.#committing === undefined) this.#begin()
    else this.#timer ??= setTimeout(() => this.#begin(), everyMs)
  }

  /** Commits what is not yet committed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#committing
    if (this.#behind) await this.#commit()
  }

  /** Commits nothing more. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Whether there is something to commit. */
  get #behind(): boolean {
    return this.#place.sequence !== this.#position.place.sequence
  }

  #begin(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#committing ??= this.#commit()
      .catch(this.#failed)
      .finally(() => {
        this.#committing = undefined
        // What was delivered while this one was under way.
        if (!this.#stopped && this.#behind) {
          this.#timer ??= setTimeout(() => this.#begin(), everyMs)
        }
      })
  }

  async #commit(): Promise<void> {
    this.#bytes = 0
    await this.#position.commit(this.#place, this.#totals)
  }
}
