/**
 * Epochs: the fencing token of every actor (ARCHITECTURE.md 1). One integer, term x 2^20 + counter, so that whatever a newer
 * leader gives out is above whatever an older one gave out.
 */
const countersPerTerm = 2 ** 20

/**
 * Terms from here on (epochs from 2^52 on) are taken for a stranger's where others than leaders could have written them.
 * So no message and no document of theirs uses up the terms: as many are left above as below.
 */
const strangeTerms = 2 ** 32

/** A term has given out all of its epochs: the leader steps down, and the next term has new ones. */
export class EpochsExhaustedError extends Error {
  override name = 'EpochsExhaustedError'
}

/** Gives out the epochs of one term, each once, each above the one before it. */
export class Epochs {
  readonly term: number
  #counter = 0

  constructor(term: number) {
    this.term = term
  }

  /** The next epoch. Throws `EpochsExhaustedError` after 2^20 - 1 of them. */
  next(): number {
    this.#counter += 1
    if (this.#counter >= countersPerTerm) throw new EpochsExhaustedError(`term ${this.term} has no epochs left`)
    return this.term * countersPerTerm + this.#counter
  }
}

/** Whether a leader may have had this term. */
export function isOurs(term: number): boolean {
  return term < strangeTerms
}

/** The term whose leader gave out this epoch. */
export function termOf(epoch: number): number {
  return Math.floor(epoch / countersPerTerm)
}
