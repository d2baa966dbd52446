/** Shorter values are not replaced: they are no secrets, and would tear holes into everything that is printed. */
const shortest = 4

/** How many secrets that pass are remembered. */
const mostPassing = 1_000

/**
 * Keeps secrets out of what is printed or told: whoever reads a secret, or is given one, adds it here, and every line
 * passes through `clean`. A secret is found as it is, as JSON escapes it, and as a URL encodes it.
 */
export class Redactor {
  readonly #lasting = new Set<string>()
  /** The one that was added last stands at the end. */
  readonly #passing = new Set<string>()
  /** Longer ones first: of a secret that begins with another one no end must stay. */
  #forms: readonly string[] = []

  /** Remembers a secret for as long as the process lives. */
  add(secret: string): void {
    if (this.#lasting.has(secret)) return
    this.#lasting.add(secret)
    this.#learn()
  }

  /** Remembers one that others take the place of, as tokens do, until 1,000 newer ones have come. */
  addPassing(secret: string): void {
    const isKnown = this.#passing.delete(secret)
    this.#passing.add(secret)
    if (isKnown) return
    const [oldest] = this.#passing
    if (this.#passing.size > mostPassing && oldest !== undefined) this.#passing.delete(oldest)
    this.#learn()
  }

  /** The text with every known secret replaced. */
  clean(text: string): string {
    let clean = text
    for (const form of this.#forms) clean = clean.replaceAll(form, '[redacted]')
    return clean
  }

  #learn(): void {
    const forms = new Set([...this.#lasting, ...this.#passing].flatMap(formsOf))
    this.#forms = [...forms].sort((a, b) => b.length - a.length)
  }
}

function formsOf(secret: string): string[] {
  if (secret.length < shortest) return []
  const forms = [secret, JSON.stringify(secret).slice(1, -1)]
  // A lone surrogate can't be encoded in a URL, so it can't be in one either.
  return secret.isWellFormed() ? [...forms, encodeURIComponent(secret)] : forms
}
