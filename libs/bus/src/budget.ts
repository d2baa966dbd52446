/** So much is asked for at a time: nats-server ends a connection to which it owes 64 MB. */
const mostAsked = 32 * 2 ** 20

/**
 * The bytes of records that the lanes of one process hold in memory together (R8).
 *
 * A lane that holds nothing may always take what it takes at a time; one that holds something takes more only while all
 * of them together are within the budget. So no lane ever waits for another one: what it holds leaves by itself, and
 * then it may take again, however large that is. What is held is at most the budget, and what each lane takes at a time.
 */
export class Budget {
  /** Bytes that were asked for and are sure to come, and who waits to ask; nobody waits for what others hold. */
  #asked = 0
  readonly #waiting = new Set<() => void>()
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

  /** Whether so many bytes may be asked for now; where not, `again` is called when others have got theirs. */
  ask(bytes: number, again: () => void): boolean {
    if (this.#asked > 0 && this.#asked + bytes > mostAsked) {
      this.#waiting.add(again)
      return false
    }
    this.#waiting.delete(again)
    this.#asked += bytes
    return true
  }

  /** So many bytes that were asked for have come, or will not. */
  came(bytes: number): void {
    this.#asked -= bytes
    if (bytes === 0 || this.#waiting.size === 0 || this.#asked > mostAsked / 2) return
    // All of them: some may be over, or want nothing any more.
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const again of waiting) queueMicrotask(again)
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
