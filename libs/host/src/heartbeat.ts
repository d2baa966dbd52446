/**
 * The heartbeat of an instance: its document, written once a second, and at once when something in it has changed.
 *
 * An answer that does not come is waited for only so long that the lease (R11) has time for more attempts. Whether that
 * heartbeat was stored is then read; the lease runs from when the stored one was sent.
 *
 * Each is a compare-and-set on the one before. So of two processes under one name the one that came last goes on, and
 * the other one learns of it: `ReplacedError`, and it must do nothing any more.
 */
import { delay } from '@millrace/actor'
import { type Bucket, ConflictError, type InstanceDocument, UnknownOutcomeError } from '@millrace/bus'
import { Wake } from './wake.ts'

/** Milliseconds between heartbeats. */
const interval = 1_000
/** Milliseconds that lie at least between two: changes in between go together. */
const together = 50
/** Milliseconds for which an answer is waited for: a quarter of what the lease allows without one. */
const patience = 1_000

/** Another process runs under this instance's name, and came later. */
export class ReplacedError extends Error {
  override readonly name = 'ReplacedError'
}

/** What a heartbeat says, and who hears that it was stored. */
export interface HeartbeatOptions {
  bucket: Bucket<InstanceDocument>
  key: string
  startId: string
  /** The document as it is now, but for the number of the heartbeat. */
  readonly current: () => Omit<InstanceDocument, 'startId' | 'beat'>
  /** A heartbeat that was sent at `sentAt` (performance.now()) is stored. */
  readonly stored: (sentAt: number) => void
  /** Why one could not be stored; told for each. */
  readonly failed: (error: unknown) => void
}

/** Writes heartbeats. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #wake = new Wake()
  /** The number of the last one that was tried, and when it was sent. */
  beat = 0
  #sentAt = -Infinity
  /** Whether the document that stands there has been ours. */
  #ours = false
  /** Of the last one that is known to be stored; undefined where that must be read first. */
  #revision: number | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /** Something in the document has changed: one more, soon. */
  soon(): void {
    this.#wake.now()
  }

  /** Writes them until the signal aborts. Rejects with ReplacedError only. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now()
      await this.once()
      await delay(together, signal)
      await this.#wake.wait(interval - (performance.now() - began), signal)
    }
  }

  /** Writes one. What goes wrong is told to `failed`; rejects with ReplacedError only. */
  async once(): Promise<void> {
    try {
      const revision = this.#revision ?? (await inTime(this.#readRevision()))
      // Until the answer is here, nobody knows whether it is stored.
      this.#revision = undefined
      this.#sentAt = performance.now()
      this.#revision = await inTime(this.#write(revision))
      this.#ours = true
      this.#options.stored(this.#sentAt)
    } catch (error) {
      if (error instanceof ReplacedError) throw error
      // A conflict is an own heartbeat whose answer was lost, or somebody else's: reading tells which.
      if (error instanceof ConflictError) this.#wake.now()
      else this.#options.failed(error)
    }
  }

  async #write(revision: number | undefined): Promise<number> {
    const { bucket, key, startId, current } = this.#options
    const document = { ...current(), startId, beat: ++this.beat }
    return revision === undefined ? bucket.create(key, document) : bucket.update(key, document, revision)
  }

  /**
   * The revision to go on from; where the last heartbeat stands there, its answer was lost. A foreign document that
   * stood there before ours is our predecessor's; what is no document is written over, for only this instance has
   * something to say here.
   */
  async #readRevision(): Promise<number | undefined> {
    const { bucket, key, startId, stored } = this.#options
    const entry = await bucket.read(key)
    if (entry?.value.startId === startId) {
      this.#ours = true
      if (entry.value.beat === this.beat) stored(this.#sentAt)
    } else if (entry !== undefined && this.#ours) {
      throw new ReplacedError(
        'Another process has started under the name of this instance; each needs a name of its own.',
      )
    }
    return entry?.revision ?? bucket.badRevision(key)
  }
}

/** Rejects with UnknownOutcomeError where there is no answer in time; one that comes later is as good as lost. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new UnknownOutcomeError('NATS did not answer in time.')), patience)
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
