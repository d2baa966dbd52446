/**
 * Follows the assignment document of this instance (DESIGN of the coordinator: ARCHITECTURE.md, "The coordinator").
 *
 * 1. Of all documents ever read the one with the highest (term, revision) counts; an older one changes nothing.
 * 2. One that names another process (start id) gives this one nothing: what runs is aborted.
 * 3. Nothing is obeyed while the lease is not held (R11); it is read again when it is. Until then the heartbeat says
 *    that nothing was seen: the coordinator must not count on an instance that runs nothing and can't read why.
 * 4. A watch is a hint that something is new; what counts is read from the leader, and again every 15 s.
 */
import { backoff, delay } from '@millrace/actor'
import type { AssignmentDocument, Bucket, Entry } from '@millrace/bus'
import type { Lease } from './lease.ts'
import type { Placement } from './placement.ts'
import { Wake } from './wake.ts'

/** Milliseconds after which the document is read again, whatever the watch says. */
const interval = 15_000

/** Whose document, and who obeys it. */
export interface AssignmentsOptions {
  bucket: Bucket<AssignmentDocument>
  key: string
  startId: string
  lease: Lease
  placement: Placement
  /** A newer document has been read. */
  readonly changed: () => void
  /** It could not be read or watched; told for each. */
  readonly failed: (error: unknown) => void
}

/** The assignment of this instance. */
export class Assignments {
  readonly #options: AssignmentsOptions
  readonly #wake = new Wake()
  /** Whether what was read is what is obeyed: it was read while the lease was held, which has not lapsed since. */
  known = false
  /** The highest document read. */
  #highest = { term: 0, revision: 0 }

  constructor(options: AssignmentsOptions) {
    this.#options = options
  }

  /** The highest document that counts here, for the heartbeat; zeros where none does. */
  get seen(): { term: number; revision: number } {
    return this.known ? this.#highest : { term: 0, revision: 0 }
  }

  /** The lease has lapsed: what was read may have changed since. */
  forget(): void {
    this.known = false
  }

  /** Read it again, soon. */
  soon(): void {
    this.#wake.now()
  }

  /** Follows it until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#watch(signal), this.#readAgain(signal)])
  }

  /** Reads it now and obeys it. Rejects as `Bucket.read` does. */
  async refresh(): Promise<void> {
    const { bucket, key, lease } = this.#options
    const askedAt = performance.now()
    const entry = await bucket.read(key)
    if (entry !== undefined) this.#take(entry)
    else this.known = lease.held(performance.now())
    lease.checked(askedAt)
  }

  #take({ value, revision }: Entry<AssignmentDocument>): void {
    const { lease, placement, startId, changed } = this.#options
    const { term, revision: last } = this.#highest
    if (value.term < term || (value.term === term && revision < last)) return
    const newer = !this.known || value.term !== term || revision !== last
    this.#highest = { term: value.term, revision }
    this.known = lease.held(performance.now())
    if (value.startId !== startId) placement.abandon()
    else if (this.known) placement.obey(value.actors)
    if (newer) changed()
  }

  async #readAgain(signal: AbortSignal): Promise<void> {
    const wait = backoff({ cap: 2_000 })
    while (!signal.aborted) {
      try {
        await this.refresh()
        wait.reset()
        await this.#wake.wait(interval, signal)
      } catch (error) {
        this.#options.failed(error)
        await this.#wake.wait(wait.next(), signal)
      }
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { bucket, key, failed } = this.#options
    while (!signal.aborted) {
      try {
        await bucket.watch(key, signal, { changed: () => this.soon() })
      } catch (error) {
        failed(error)
        await delay(interval, signal)
      }
    }
  }
}
