/** A bucket as it was last seen: kept by a watch, which is a hint, and read whole from time to time, which is the truth. */
import type { Bucket, Change } from '@millrace/bus'
import type { Revised } from './situation.ts'

/** What a mirror tells whoever acts on it. */
export interface MirrorEvents<T> {
  /** A document changed, was read for the first time (`document`), or was deleted (undefined). */
  changed(key: string, document: T | undefined): void
}

/** The documents of a bucket, by key. What is written over one and is none (`Bucket.bad`) leaves the last good one. */
export class Mirror<T> {
  readonly entries = new Map<string, Revised<T>>()
  readonly bucket: Bucket<T>
  readonly #events: MirrorEvents<T>
  /** Keys where something stands that is no document. */
  readonly #bad = new Set<string>()

  constructor(bucket: Bucket<T>, events: MirrorEvents<T>) {
    this.bucket = bucket
    this.#events = events
  }

  /** Follows the bucket until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await this.bucket.watch('>', signal, { changed: change => this.told(change) })
  }

  /** Takes what was read or written. What is older than what is known is left aside. */
  told({ key, value, revision }: Change<T>): void {
    if ((this.entries.get(key)?.revision ?? -1) >= revision) return
    if (value === undefined) this.entries.delete(key)
    else this.entries.set(key, { revision, document: value })
    this.#events.changed(key, value)
  }

  /** Reads one key from the stream's leader. Rejects as `Bucket.read` does. */
  async refresh(key: string): Promise<void> {
    const known = this.entries.get(key)
    const read = await this.bucket.read(key)
    if (read !== undefined) this.told(read)
    else if (known !== undefined) await this.#missing(key, known)
  }

  /** Reads everything. Rejects as `Bucket.list` does. */
  async reload(signal: AbortSignal): Promise<void> {
    const before = new Map(this.entries)
    const listed = await this.bucket.list('>', AbortSignal.any([signal, AbortSignal.timeout(10_000)]))
    for (const entry of listed.values()) this.told(entry)
    for (const [key, entry] of before) if (!listed.has(key)) await this.#missing(key, entry)
  }

  /** Writes the last good documents back over what is none: for the leader, where leaders alone write. Rejects as `write` does. */
  async restore(): Promise<void> {
    for (const key of this.#bad) {
      const [last, revision] = [this.entries.get(key), await this.bucket.badRevision(key)]
      if (last !== undefined && revision !== undefined) await this.write(key, last.document, revision)
      this.#bad.delete(key)
    }
  }

  /** Writes by compare-and-set (`revision` 0: the first one) and keeps what was written. Rejects as `Bucket` does. */
  async write(key: string, document: T, revision: number): Promise<number> {
    const written = await (revision === 0
      ? this.bucket.create(key, document)
      : this.bucket.update(key, document, revision))
    this.told({ key, value: document, revision: written })
    return written
  }

  /** Deletes the document of this revision. Rejects as `Bucket.delete` does. */
  async delete(key: string, revision: number): Promise<void> {
    await this.bucket.delete(key, revision)
    if (this.entries.get(key)?.revision === revision) this.#drop(key)
  }

  /** The document is not there any more: it was deleted, or something that is none stands there. */
  async #missing(key: string, known: Revised<T>): Promise<void> {
    const isBad = (await this.bucket.badRevision(key)) !== undefined
    if (isBad) this.#bad.add(key)
    else if (this.entries.get(key) === known) this.#drop(key)
  }

  #drop(key: string): void {
    this.entries.delete(key)
    this.#events.changed(key, undefined)
  }
}
