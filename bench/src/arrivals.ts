/** What a checker counts: which messages came, in which order, and how late. */

/** Latencies in buckets of 0.1 ms up to a minute: exact enough, and nothing is kept per message. */
export class Latencies {
  readonly #buckets = new Uint32Array(600_001)
  #count = 0

  add(ms: number): void {
    const bucket = Math.min(Math.max(Math.round(ms * 10), 0), this.#buckets.length - 1)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
  }

  /** In milliseconds. */
  summary(): { p50: number; p99: number } {
    return { p50: this.#percentile(0.5), p99: this.#percentile(0.99) }
  }

  #percentile(share: number): number {
    let seen = 0
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count
      if (seen >= this.#count * share && seen > 0) return bucket / 10
    }
    return 0
  }
}

/** Marks first arrivals; order is judged over those alone, for each publisher and key. */
export class Arrivals {
  readonly #seen: Uint8Array[]
  readonly #last = new Map<string, number>()
  delivered = 0
  duplicates = 0
  outOfOrder = 0

  constructor(publishers: number, each: number) {
    this.#seen = Array.from({ length: publishers }, () => new Uint8Array(each))
  }

  add(publisher: number, number: number, key: string): void {
    const seen = this.#seen[publisher]
    if (seen === undefined || number >= seen.length) throw new RangeError(`no publisher ${publisher} sent ${number}`)
    if (seen[number] === 1) {
      this.duplicates += 1
      return
    }
    seen[number] = 1
    this.delivered += 1
    const stream = `${publisher}/${key}`
    if ((this.#last.get(stream) ?? -1) > number) this.outOfOrder += 1
    else this.#last.set(stream, number)
  }
}
