import type { Fetched } from '@millrace/kafka'
import type { Problem } from '@millrace/lane'

/** A transaction that is open for so many milliseconds may have been left so. */
const openForMs = 60_000

/**
 * Watches for what a reader of committed records may not see: whatever stands behind a transaction that nobody ends
 * (its producer is gone, and the broker has not noticed) waits as if nothing came.
 */
export class HeldBack {
  readonly #tell: (problem: Problem | undefined) => void
  #since: number | undefined
  #told = false

  /** `tell` is given what is held back, once, and undefined when it comes after all. */
  constructor(tell: (problem: Problem | undefined) => void) {
    this.#tell = tell
  }

  /** Looks at each Fetch from the end of what can be read. */
  look({ records, heldBack }: Pick<Fetched, 'records' | 'heldBack'>): void {
    if (heldBack === 0n || records.length > 0) return this.#over()
    this.#since ??= performance.now()
    if (this.#told || performance.now() - this.#since < openForMs) return
    this.#told = true
    const message = `A transaction is open for a minute; ${heldBack} offsets wait for its end. Kafka's own kafka-transactions.sh finds it, and aborts it.`
    this.#tell({ code: 'open_transaction', message })
  }

  #over(): void {
    this.#since = undefined
    if (this.#told) this.#tell(undefined)
    this.#told = false
  }
}
