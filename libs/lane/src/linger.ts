/**
 * How long a batch waits for more records once the append before it has returned: not at all where records come
 * rarely or in plenty, up to 20 ms in between, where a batch would otherwise hold a few records only. What a record
 * costs at low rates is its share of an append, so it pays to wait; what it costs at high rates is its bytes.
 */

/** Milliseconds. */
export const maxLinger = 20
/** Batches below this make the linger grow; those of twice as much make it shrink. */
const fewRecords = 20

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
    else if (records >= 2 * fewRecords) this.#ms = Math.floor(this.#ms / 2)
  }
}
