/**
 * The leader's lease: the key `leader` of `mr_leader`, changed once a second by whoever has it (ARCHITECTURE.md 7).
 *
 *   standby --(no key, released, or unchanged for 3 s by its own clock; compare-and-set)--> leader
 *   leader --(its write was refused, or none was stored for 2.5 s)--> standby
 *
 * 1. The term that takes the key is above every term that ever wrote anything that can be found.
 * 2. A leader stops acting before a standby may take over: 2.5 s since the last stored renewal was *sent*, by its own
 *    monotonic clock, against 3 s since a standby *saw* it. What it sent just before is refused by compare-and-set.
 */
import { delay } from '@millrace/actor'
import { type Bucket, ConflictError, type Entry, type LeaderDocument, UnknownOutcomeError } from '@millrace/bus'

/** Milliseconds for which a standby sees the key unchanged before it takes it. */
const takeAfter = 3_000
const leadsFor = 2_500
const renewEvery = 1_000
const lookEvery = 250
const key = 'leader'

/** Who wants to lead. */
export interface Candidate {
  instance: string
  startId: string
  /** The highest term found in anything that leaders, sources and sinks have written. */
  highestTerm(): Promise<number>
}

/** The leadership of one process: one term at a time. */
export class Lease {
  readonly #bucket: Bucket<LeaderDocument>
  readonly #me: Candidate
  #mine: Entry<LeaderDocument> | undefined
  #renewedAt = Number.NEGATIVE_INFINITY

  constructor(bucket: Bucket<LeaderDocument>, me: Candidate) {
    this.#bucket = bucket
    this.#me = me
  }

  /** Whether this process may act as the leader now: ask before each write. */
  get held(): boolean {
    return this.#mine !== undefined && performance.now() - this.#renewedAt < leadsFor
  }

  /** Waits until it is this process's turn, takes the key, and returns its term; undefined once the signal aborts. */
  async take(signal: AbortSignal): Promise<number | undefined> {
    let seen: { revision: number; at: number } | undefined
    while (!signal.aborted) {
      const sentAt = performance.now()
      try {
        const there = await this.#bucket.read(key)
        // What is no document says nothing of who leads: it is waited for like a leader that is silent.
        const revision = there?.revision ?? (await this.#bucket.badRevision(key)) ?? 0
        if (seen?.revision !== revision) seen = { revision, at: sentAt }
        const isFree = there === undefined ? revision === 0 : this.#isFree(there.value)
        if (isFree || sentAt - seen.at >= takeAfter) return await this.#write(there?.value, revision)
      } catch (error) {
        // Whoever can't see the key can't say that it has not changed.
        seen = undefined
        if (!(error instanceof ConflictError || error instanceof UnknownOutcomeError)) throw error
      }
      await delay(lookEvery, signal)
    }
    return undefined
  }

  /** Renews until the lease is lost, or the signal aborts: then it is released, for a standby to take at once. */
  async keep(signal: AbortSignal): Promise<void> {
    while (this.held) {
      await delay(renewEvery, signal)
      if (signal.aborted) return this.#release()
      await this.#renew()
    }
    this.#mine = undefined
  }

  /** Gives it up without a word: another leader was seen. */
  drop(): void {
    this.#mine = undefined
  }

  #isFree({ released, instance }: LeaderDocument): boolean {
    // A key that names this instance is that of an earlier process of it.
    return released === true || instance === this.#me.instance
  }

  async #write(there: LeaderDocument | undefined, over: number): Promise<number> {
    const term = Math.max(there?.term ?? 0, await this.#me.highestTerm()) + 1
    const value = { instance: this.#me.instance, startId: this.#me.startId, term, beat: 0 }
    const sentAt = performance.now()
    const revision = await (over === 0 ? this.#bucket.create(key, value) : this.#bucket.update(key, value, over))
    this.#mine = { key, value, revision }
    this.#renewedAt = sentAt
    return term
  }

  async #renew(): Promise<void> {
    if (this.#mine === undefined) return
    const value = { ...this.#mine.value, beat: this.#mine.value.beat + 1 }
    const sentAt = performance.now()
    try {
      const revision = await this.#bucket.update(key, value, this.#mine.revision)
      this.#mine = { key, value, revision }
      this.#renewedAt = sentAt
    } catch {
      await this.#readBack()
    }
  }

  /** A renewal without an answer may have been stored (R6); then the key says so, and the next one follows it. */
  async #readBack(): Promise<void> {
    const there = await this.#bucket.read(key).catch(() => undefined)
    if (there === undefined || this.#mine === undefined) return
    const { startId, term } = there.value
    this.#mine = startId === this.#me.startId && term === this.#mine.value.term ? there : undefined
  }

  async #release(): Promise<void> {
    const mine = this.#mine
    this.#mine = undefined
    // Where this fails, a standby takes the key a few seconds later.
    if (mine !== undefined)
      await this.#bucket.update(key, { ...mine.value, released: true }, mine.revision).catch(() => {})
  }
}
