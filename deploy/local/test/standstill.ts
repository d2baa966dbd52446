/**
 * When this whole machine stood still, or its clock was set forward: a virtual machine is suspended, its disk hangs, its
 * cores are taken away. Seen from a process that does next to nothing: its timer came late by the wall clock. What is
 * measured over such a time says nothing about what is tested.
 */

const interval = 100
/** Milliseconds by which a timer may be late. A busy machine makes it late by some hundreds. */
const tolerated = 1_000

/** Wall clock times, in milliseconds. */
export interface Span {
  from: number
  to: number
}

/** Watches until it is disposed of. */
export class Standstills implements Disposable {
  readonly #spans: Span[] = []
  #looked = Date.now()
  readonly #timer = setInterval(() => this.#look(Date.now()), interval).unref()

  /** Milliseconds of a span of time during which the machine stood still. */
  within({ from, to }: Span): number {
    return this.#spans.reduce((sum, span) => sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), 0)
  }

  /** A sentence. */
  get told(): string {
    const spans = this.#spans.map(({ from, to }) => `${new Date(from).toISOString()} for ${to - from} ms`)
    return `This machine stood still: ${spans.join('; ') || 'never'}.`
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(now: number): void {
    if (now - this.#looked > interval + tolerated) this.#spans.push({ from: this.#looked, to: now })
    this.#looked = now
  }
}
