/** Shorter values are not replaced: they are no secrets, and would tear holes into everything that is printed. */
const shortest = 4

/**
 * Keeps secrets out of what is printed: whoever reads a secret adds it here, and every line passes through `clean`.
 * A secret is found as it is, as JSON escapes it, and as a URL encodes it.
 */
export class Redactor {
  readonly #forms = new Set<string>()

  /** Remembers a secret for as long as the process lives. */
  add(secret: string): void {
    if (secret.length < shortest) return
    this.#forms.add(secret)
    this.#forms.add(JSON.stringify(secret).slice(1, -1))
    // A lone surrogate can't be encoded in a URL, so it can't be in one either.
    if (secret.isWellFormed()) this.#forms.add(encodeURIComponent(secret))
  }

  /** The text with every known secret replaced. */
  clean(text: string): string {
    let clean = text
    for (const form of this.#forms) clean = clean.replaceAll(form, '[redacted]')
    return clean
  }
}
