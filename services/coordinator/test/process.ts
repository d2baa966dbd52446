/** A process of an instance, which obeys its document as libs/host does: a model for tests of plan(). */
import { isDeepStrictEqual } from 'node:util'
import type { ActorAssignment, ActorReport, AssignmentDocument, InstanceDocument } from '@millrace/bus'
import type { Revised } from '../src/situation.ts'

/** After this many milliseconds without a stored heartbeat an instance aborts its actors (R11). */
const selfFence = 4_000

/** It is told of documents and of time, and says what it runs. */
export class Process {
  readonly key: string
  readonly startId: string
  state: InstanceDocument['state'] = 'running'
  alive = true
  /** SIGSTOP: executes nothing. */
  frozen = false
  /** NATS is away for it: it neither reads nor is heard. */
  cutOff = false
  running = new Map<string, ActorAssignment>()
  draining = new Map<string, ActorAssignment>()
  #beat = 0
  #stored: number
  #lapsed = false
  #seen: { term: number; revision: number; document: AssignmentDocument | undefined } = {
    term: 0,
    revision: 0,
    document: undefined,
  }

  /** What its listers find in the source of a route. */
  readonly #finds: (route: string) => readonly string[] | undefined

  constructor(key: string, startId: string, now: number, finds: (route: string) => readonly string[] | undefined) {
    this.#finds = finds
    this.key = key
    this.startId = startId
    this.#stored = now
  }

  get acts(): boolean {
    return this.alive && !this.frozen
  }

  /** The newest revision of its document that it has seen. */
  get revision(): number {
    return this.#seen.revision
  }

  /** It knows what it was told. */
  get told(): boolean {
    return this.#seen.document !== undefined
  }

  runs(): ActorAssignment[] {
    return [...this.running.values(), ...this.draining.values()]
  }

  /** R11: after 4 s without a stored heartbeat nothing runs any more. */
  fence(now: number): void {
    if (!this.acts || now - this.#stored < selfFence) return
    this.#lapsed = true
    // What it was told may have changed meanwhile: nothing starts before the document is read again.
    this.#seen = { ...this.#seen, document: undefined }
    this.running.clear()
    this.draining.clear()
  }

  read(entry: Revised<AssignmentDocument> | undefined): void {
    if (!this.acts || this.cutOff || entry === undefined) return
    const { document, revision } = entry
    if (document.term < this.#seen.term || revision < this.#seen.revision) return
    this.#seen = { term: document.term, revision, document: this.#lapsed ? undefined : document }
    this.#obey()
  }

  finishDrains(): void {
    if (!this.acts) return
    this.draining.clear()
    this.#obey()
  }

  heartbeat(now: number): InstanceDocument | undefined {
    if (!this.acts || this.cutOff) return undefined
    this.#stored = now
    this.#lapsed = false
    this.#beat += 1
    const { term, revision } = this.told ? this.#seen : { term: 0, revision: 0 }
    const actors = [
      ...[...this.running.values()].map(actor => {
        const lanes = actor.role === 'lister' ? this.#finds(actor.route) : undefined
        return { ...report(actor, actor.retire === true ? 'stopped' : 'running'), ...(lanes && { lanes: [...lanes] }) }
      }),
      ...[...this.draining.values()].map(actor => report(actor, 'draining')),
    ]
    return { startId: this.startId, beat: this.#beat, version: '1', term, revision, state: this.state, actors }
  }

  #obey(): void {
    if (this.#lapsed) return
    const { document } = this.#seen
    const told = new Map(document?.startId === this.startId ? document.actors.map(actor => [actor.id, actor]) : [])
    for (const [id, actor] of this.running) {
      if (isDeepStrictEqual(told.get(id), actor)) continue
      this.running.delete(id)
      this.draining.set(id, actor)
    }
    if (this.state === 'running') {
      for (const [id, actor] of told) if (!this.draining.has(id)) this.running.set(id, actor)
    }
  }
}

function report({ id, epoch, version }: ActorAssignment, state: ActorReport['state']): ActorReport {
  return { id, epoch, version, state }
}
