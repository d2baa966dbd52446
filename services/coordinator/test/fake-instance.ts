/** An instance that heartbeats and obeys its document, but moves no records. */
import { isDeepStrictEqual } from 'node:util'
import { delay } from '@millrace/actor'
import {
  type ActorAssignment,
  type ActorReport,
  type AssignmentDocument,
  assignmentDocument,
  Bucket,
  type Bus,
  type Entry,
  type InstanceDocument,
  instanceDocument,
  instanceKey,
  type ServiceName,
} from '@millrace/bus'

/** Something that an instance started or ended, by the clock of all of them. */
export interface Step {
  at: number
  key: string
  id: string
  epoch: number
  is: 'starts' | 'ends'
}

/** Who it is, and where it notes what it does. */
export interface FakeOptions {
  bus: Bus
  service: ServiceName
  name: string
  startId: string
  steps: Step[]
}

/** One process of an instance. */
export class FakeInstance {
  readonly key: string
  readonly startId: string
  readonly running = new Map<string, ActorAssignment>()
  /** Which source actors say `stopped`, once told to retire. */
  retired = false
  /** What its listers find. */
  finds: string[] | undefined
  /** Milliseconds that an actor takes to drain. */
  drains = 50
  state: InstanceDocument['state'] = 'running'
  readonly #over = new AbortController()
  readonly #instances: Bucket<InstanceDocument>
  readonly #assignments: Bucket<AssignmentDocument>
  readonly #draining = new Map<string, ActorAssignment>()
  readonly #steps: Step[]
  #told: Entry<AssignmentDocument> | undefined
  #beat = 0
  #soon = new AbortController()

  constructor({ bus, service, name, startId, steps }: FakeOptions) {
    this.key = instanceKey(service, name)
    this.startId = startId
    this.#steps = steps
    this.#instances = new Bucket(bus, 'mr_instances', instanceDocument)
    this.#assignments = new Bucket(bus, 'mr_assign', assignmentDocument)
    void this.#beats()
    void this.#obeys()
  }

  /** The newest document that it has seen. */
  get told(): Entry<AssignmentDocument> | undefined {
    return this.#told
  }

  /** SIGKILL: nothing more happens, and nothing is said. */
  kill(): void {
    this.#over.abort()
    for (const actor of [...this.running.values(), ...this.#draining.values()]) this.#step(actor, 'ends')
    this.running.clear()
  }

  /** Says something new of itself now. */
  say(state: InstanceDocument['state'] = this.state): void {
    this.state = state
    this.#soon.abort()
  }

  async #beats(): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.#soon = new AbortController()
      await this.#store().catch(() => {})
      await delay(1_000, this.#soon.signal)
    }
  }

  async #store(): Promise<void> {
    const there = await this.#instances.read(this.key)
    const heartbeat = this.#heartbeat()
    if (there === undefined) await this.#instances.create(this.key, heartbeat)
    else await this.#instances.update(this.key, heartbeat, there.revision)
  }

  #heartbeat(): InstanceDocument {
    this.#beat += 1
    const { term, revision } = { term: this.#told?.value.term ?? 0, revision: this.#told?.revision ?? 0 }
    const actors = [
      ...[...this.running.values()].map(it => ({
        ...report(it, it.retire === true && this.retired ? 'stopped' : 'running'),
        ...(it.role === 'lister' && this.finds !== undefined && { lanes: this.finds }),
      })),
      ...[...this.#draining.values()].map(it => report(it, 'draining')),
    ]
    return { startId: this.startId, beat: this.#beat, version: '1', term, revision, state: this.state, actors }
  }

  async #obeys(): Promise<void> {
    await this.#assignments.watch(this.key, this.#over.signal, {
      changed: ({ key, value, revision }) => {
        if (value === undefined || revision <= (this.#told?.revision ?? 0)) return
        this.#told = { key, value, revision }
        this.#obey()
        this.say()
      },
    })
  }

  #obey(): void {
    const document = this.#told?.value
    const told = new Map(document?.startId === this.startId ? document.actors.map(it => [it.id, it]) : [])
    for (const [id, actor] of this.running) {
      if (!isDeepStrictEqual(told.get(id), actor)) void this.#drain(actor)
    }
    for (const [id, actor] of told) {
      if (this.running.has(id) || this.#draining.has(id)) continue
      this.running.set(id, actor)
      this.#step(actor, 'starts')
    }
  }

  async #drain(actor: ActorAssignment): Promise<void> {
    this.running.delete(actor.id)
    this.#draining.set(actor.id, actor)
    await delay(this.drains, this.#over.signal)
    if (this.#over.signal.aborted) return
    this.#draining.delete(actor.id)
    this.#step(actor, 'ends')
    this.#obey()
    this.say()
  }

  #step({ id, epoch }: ActorAssignment, is: Step['is']): void {
    this.#steps.push({ at: performance.now(), key: this.key, id, epoch, is })
  }
}

function report({ id, epoch, version }: ActorAssignment, state: ActorReport['state']): ActorReport {
  return { id, epoch, version, state }
}
