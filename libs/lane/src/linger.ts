/**
 * How long a batch waits for more records once the append before it has returned. What a record costs is, up to some
 * hundreds of them, its share of an append (a message, a flush to the disk, a Produce), so it pays to wait: up to 20 ms
 * where a batch would otherwise hold a few records only, a few milliseconds where it holds enough to be worth one, and
 * not at all where records come rarely, or in such plenty that batches fill by themselves.
 */

/** Milliseconds. */
export const maxLinger = 20
/** Where batches hold enough, waiting longer than this is not worth it. */
const settledLinger = 4
/** Batches below this make the linger grow to its bound. */
const fewRecords = 20
/** Batches above this make it go. */
const manyRecords = 500

/** Pure but for its own memory: the clock is the caller's, in milliseconds. */
export class Linger {
  #ms = 0
  #lastClosed = Number.NEGATIVE_INFINITY

  /** How long a batch that begins now stays open. After a silence nothing is likely to join it: 0. */
  begin(now: number): number {
    return now - this.#lastClosed >= 2 * maxLinger ? 0 : this.#ms
  }

  /** A batch was closed with so many records. */
  closed(records: number, now: number): void {
    this.#lastClosed = now
    if (records < fewRecords) this.#ms = Math.min(maxLinger, this.#ms + 1)
    else if (records > manyRecords) this.#ms = Math.floor(this.#ms / 2)
    else if (this.#ms < settledLinger) this.#ms++
    else if (this.#ms > settledLinger && records >= 2 * fewRecords) this.#ms--
  }
}
