/** Measures how long records take from the broker into the lane: one at a time, for more would cost more than they say. */
export class LatencySample {
  readonly #observe: (seconds: number) => void
  /** The record that is on its way; 0: none. */
  #ordinal = 0
  /** When it came, in milliseconds of a clock that nobody sets. */
  #since = 0

  constructor(observe: (seconds: number) => void) {
    this.#observe = observe
  }

  /** This record has come. */
  begin(ordinal: number): void {
    if (this.#ordinal !== 0) return
    this.#ordinal = ordinal
    this.#since = performance.now()
  }

  /** All records up to this one are stored. */
  stored(ordinal: number): void {
    if (this.#ordinal === 0 || ordinal < this.#ordinal) return
    this.#observe((performance.now() - this.#since) / 1000)
    this.#ordinal = 0
  }
}
