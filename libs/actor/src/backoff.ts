/** How long to wait between attempts. */
export interface Backoff {
  /** Milliseconds until the next attempt: between half of the step and the whole of it; the step doubles up to the cap. */
  next(): number
  /** Begins with the first step again: call it when an attempt has held. */
  reset(): void
}

/** Doubling, capped, jittered back-off: from `first` to `cap` milliseconds. `random` gives [0, 1) and is for tests. */
export function backoff({ first = 200, cap = 10_000, random = Math.random } = {}): Backoff {
  let step = first
  return {
    next() {
      const wait = step / 2 + (random() * step) / 2
      step = Math.min(step * 2, cap)
      return wait
    },
    reset() {
      step = first
    },
  }
}
