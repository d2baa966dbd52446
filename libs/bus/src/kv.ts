/**
 * Buckets of JSON documents, as NATS's key-value stores keep them: the stream `KV_<bucket>`, a subject a key, one
 * message a key. Built on JetStream itself, because the client's own buckets need more permissions than our services
 * have, and read from any replica. The coordinator makes the streams (`makeBucket`).
 */
import { DeliverPolicy } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/nats-core'
import type { z } from 'zod'
import type { Bus } from './connect.ts'
import { ConflictError, UnknownOutcomeError } from './errors.ts'
import type { BucketName } from './names.ts'
import { OrderedReader } from './ordered.ts'
import { isWrongLastSequence } from './refusals.ts'

/** A document, and the revision that the next `update` must name. */
export interface Entry<T> {
  key: string
  value: T
  revision: number
}

/** What a watch tells: a document, or that its key was deleted (`value` is undefined). */
export interface Change<T> {
  key: string
  value: T | undefined
  revision: number
}

/** Who watches. */
export interface Watcher<T> {
  changed(change: Change<T>): void
  /** Everything that was there has been told; again after each reconnect, when all of it was told anew. */
  caughtUp?(): void
}

const operation = 'KV-Operation'

/**
 * A bucket. A document that does not fit its schema is as good as absent: it is counted in `bad`, and never obeyed.
 * Everything that asks the server rejects with UnknownOutcomeError where no answer came, PermissionError where this
 * user may not, and JetStreamApiError where the server refused (as it does while the bucket does not exist yet).
 */
export class Bucket<T> {
  /** Documents seen that were no JSON or did not fit the schema. */
  bad = 0
  readonly #bus: Bus
  readonly #name: BucketName
  readonly #schema: z.ZodType<T>

  constructor(bus: Bus, name: BucketName, schema: z.ZodType<T>) {
    this.#bus = bus
    this.#name = name
    this.#schema = schema
  }

  /** The document as the stream's leader has it, or undefined where there is none (or a bad one). */
  async read(key: string): Promise<Entry<T> | undefined> {
    const { value, revision } = await this.#last(key)
    return value === undefined ? undefined : { key, value, revision }
  }

  /** The revision of what stands under a key and is no document; undefined where there is one, or nothing. */
  async badRevision(key: string): Promise<number | undefined> {
    const { revision, bad } = await this.#last(key)
    return bad ? revision : undefined
  }

  /** Writes the first document of a key and returns its revision. ConflictError where there is one. */
  async create(key: string, value: T): Promise<number> {
    const { value: there, revision, bad } = await this.#last(key)
    if (there !== undefined || bad) throw new ConflictError(`${this.#name}/${key} exists.`)
    return this.update(key, value, revision)
  }

  /** Replaces the document that has this revision (0: none ever was); returns the new one's. ConflictError where it changed. */
  async update(key: string, value: T, revision: number): Promise<number> {
    return this.#put(key, JSON.stringify(value), revision)
  }

  /** Deletes the document that has this revision. ConflictError where it changed in the meantime. */
  async delete(key: string, revision: number): Promise<void> {
    await this.#put(key, '', revision, 'DEL')
  }

  /**
   * Every document of the keys that match (`>`: all). In a cluster it may lag behind the leader by a moment: where
   * that matters, `read`.
   */
  async list(filter = '>', signal: AbortSignal = AbortSignal.timeout(10_000)): Promise<Map<string, Entry<T>>> {
    const entries = new Map<string, Entry<T>>()
    const done = new AbortController()
    await this.watch(filter, AbortSignal.any([signal, done.signal]), {
      changed({ key, value, revision }) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, { key, value, revision })
      },
      caughtUp: () => done.abort(),
    })
    if (!done.signal.aborted) throw new UnknownOutcomeError(`${this.#name} could not be listed in time.`)
    return entries
  }

  /**
   * Tells every document that matches, then each change, until the signal aborts. After a reconnect all is told
   * again, but not what was deleted meanwhile: a watch is a hint, and `list` from time to time the truth.
   */
  async watch(filter: string, signal: AbortSignal, watcher: Watcher<T>): Promise<void> {
    const prefix = `$KV.${this.#name}.`
    await new OrderedReader({
      bus: this.#bus,
      stream: `KV_${this.#name}`,
      filter: prefix + filter,
      signal,
      start: () => ({ deliver_policy: DeliverPolicy.LastPerSubject }),
      made: pending => pending === 0 && watcher.caughtUp?.(),
      deliver: (message, revision, pending) => {
        if (signal.aborted) return
        const { value, bad } = this.#document(message.headers, message.data)
        if (!bad) watcher.changed({ key: message.subject.slice(prefix.length), value, revision })
        if (pending === 0) watcher.caughtUp?.()
      },
      ask: () => 4 * 2 ** 20,
    }).run()
  }

  async #put(key: string, payload: string, revision: number, deleted?: 'DEL'): Promise<number> {
    const options = { headers: headers(), expect: { lastSubjectSequence: revision } }
    if (deleted !== undefined) options.headers.set(operation, deleted)
    try {
      const ack = await this.#bus.call(this.#bus.js.publish(`$KV.${this.#name}.${key}`, payload, options))
      return ack.seq
    } catch (error) {
      if (isWrongLastSequence(error)) throw new ConflictError(`${this.#name}/${key} changed.`, { cause: error })
      throw error
    }
  }

  async #last(key: string): Promise<{ value: T | undefined; revision: number; bad: boolean }> {
    const query = { last_by_subj: `$KV.${this.#name}.${key}` }
    const message = await this.#bus.call(this.#bus.jsm.streams.getMessage(`KV_${this.#name}`, query))
    if (message === null) return { value: undefined, revision: 0, bad: false }
    return { ...this.#document(message.header, message.data), revision: message.seq }
  }

  #document(header: MsgHdrs | undefined, data: Uint8Array): { value: T | undefined; bad: boolean } {
    if (header?.has(operation)) return { value: undefined, bad: false }
    const { success, data: value } = this.#schema.safeParse(parsed(data))
    if (!success) this.bad++
    return { value, bad: !success }
  }
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString())
  } catch {
    return undefined
  }
}
