/**
 * The bytes of records that the lanes of one process hold in memory together (R8).
 *
 * A lane that holds nothing may always take what it takes at a time; one that holds something takes more only while all
 * of them together are within the budget. So no lane ever waits for another one: what it holds leaves by itself, and
 * then it may take again, however large that is. What is held is at most the budget, and what each lane takes at a time.
 */
export class Budget {
  readonly #bytes: number
  #held = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Whether lanes that hold something already may take more. */
  get room(): boolean {
    return this.#held < this.#bytes
  }

  /** Bytes that are held now. */
  get held(): number {
    return this.#held
  }

  /** A lane's part, which holds so many bytes. */
  hold(bytes = 0): Hold {
    const hold = new Hold(this, more => {
      this.#held += more
    })
    hold.add(bytes)
    return hold
  }
}

/** What one lane holds. Disposed of, it holds nothing, and what is added later is not counted. */
export class Hold implements Disposable {
  readonly #budget: Budget
  readonly #count: (more: number) => void
  #bytes = 0
  #over = false

  constructor(budget: Budget, count: (more: number) => void) {
    this.#budget = budget
    this.#count = count
  }

  /** Bytes that it holds. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether it may take more. */
  get room(): boolean {
    return this.#bytes === 0 || this.#budget.room
  }

  /** So many bytes more; fewer where that is negative. */
  add(bytes: number): void {
    if (this.#over) return
    this.#bytes += bytes
    this.#count(bytes)
  }

  [Symbol.dispose](): void {
    this.add(-this.#bytes)
    this.#over = true
  }
}
