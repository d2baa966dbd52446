/**
 * One term as the leader: sees, plans, writes; lets lanes and routes end; trims. Every step can be cut off anywhere: the
 * next leader finds in the buckets how far it came.
 */
import { delay } from '@millrace/actor'
import { type Bus, ConflictError, type Problem, type RoutesDocument, UnknownOutcomeError } from '@millrace/bus'
import type { Epochs } from './epoch.ts'
import type { Lease } from './lease.ts'
import type { Liveness } from './liveness.ts'
import { plan, type Write } from './plan.ts'
import { Provision } from './provision.ts'
import { retire } from './retire.ts'
import { type KnownRoute, knownRoutes } from './route-lanes.ts'
import { type Instance, placedLanes, serviceOf, type Situation, unplaced } from './situation.ts'
import type { Store } from './store.ts'
import { Trimmer } from './trim.ts'
import { wantedActors } from './wanted.ts'

/** Milliseconds between looks where nothing changes: how late a lost instance is noticed. */
const lookEvery = 500
const trimEvery = 1_000
const reloadEvery = 15_000
/** After this many milliseconds of silence an instance's documents are deleted. */
const forgetAfter = 600_000

/** What a leader works with. */
export interface LeaderParts {
  bus: Bus
  store: Store
  liveness: Liveness
  lease: Lease
  epochs: Epochs
  replicas: number
  /** The name of the installation, written once. */
  installation: string
  /** Called after each look. */
  readonly looked: () => void
}

/** A leader, for one term. */
export class Leader {
  /** Actors that ought to run and were given to nobody yet, as of the last plan. */
  unplaced = 0
  /** Actors that were given an owner in this term. */
  placed = 0
  readonly trimmer: Trimmer
  readonly #parts: LeaderParts
  readonly #provision: Provision
  readonly #done = new Map<string, number>()
  #soon = new AbortController()

  constructor(parts: LeaderParts) {
    this.#parts = parts
    this.#provision = new Provision(parts.bus, parts.store, parts.replicas)
    this.trimmer = new Trimmer(parts.bus, parts.store)
  }

  /** What stands in the way of a route, by its name. */
  get problems(): ReadonlyMap<string, Problem> {
    return this.#provision.problems
  }

  /** Something changed: look now. */
  wake(): void {
    this.#soon.abort()
  }

  /**
   * Leads until the signal aborts or the lease is lost. Rejects with SupersededError, EpochsExhaustedError, and with
   * whatever the server refuses for good.
   */
  async lead(signal: AbortSignal): Promise<void> {
    const stop = () => this.#soon.abort()
    signal.addEventListener('abort', stop)
    try {
      while (!signal.aborted && this.#parts.lease.held) {
        this.#soon = new AbortController()
        const again = await this.#tryPass(signal)
        this.#parts.looked()
        if (!again) await delay(lookEvery, this.#soon.signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** Whether something was done, so that there may be more to do. NATS away: tried again (R10). */
  async #tryPass(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#pass(signal)
    } catch (error) {
      if (error instanceof ConflictError) await this.#parts.store.reload(signal).catch(() => {})
      else if (!(error instanceof UnknownOutcomeError)) throw error
      return false
    }
  }

  async #pass(signal: AbortSignal): Promise<boolean> {
    const { store, bus } = this.#parts
    if (this.#isDue('reload', reloadEvery)) await store.reload(signal)
    await this.#hearTheSilent()
    const kept = store.routes.entries.get('current')
    if (kept === undefined) return this.#makeRoutes()
    const { routes } = knownRoutes(kept.document)
    await this.#provision.prepareAll(routes)
    const now = this.#situation(routes)
    if (await this.#write(plan(now, this.#parts.epochs))) return true
    this.unplaced = unplaced(now)
    if (this.#parts.lease.held && (await retire({ bus, store, kept, routes, now }))) return true
    if (this.#isDue('trim', trimEvery)) await this.#trim(routes)
    await this.#forgetTheDead()
    return false
  }

  /** Before anyone is called lost: what does the bucket itself say of it? */
  async #hearTheSilent(): Promise<void> {
    const { liveness, store } = this.#parts
    for (const key of liveness.silent(performance.now())) await store.instances.refresh(key)
  }

  async #makeRoutes(): Promise<boolean> {
    const { store, installation } = this.#parts
    const first: RoutesDocument = { installation, connections: {}, routes: {} }
    await store.routes.write('current', first, 0)
    return true
  }

  #situation(routes: readonly KnownRoute[]): Situation {
    const { store, liveness } = this.#parts
    const clock = performance.now()
    const documents = store.assignments.entries
    // What was placed once stays wanted whatever becomes of its stream: its actors stop and tell by themselves (R5).
    const placed = placedLanes({ documents })
    const wanted = routes.flatMap(route =>
      wantedActors(route).filter(
        ({ actor: { uid, lane } }) => this.#provision.isReady(route, lane) || placed.has(`${uid}/${lane}`),
      ),
    )
    const instances = new Map<string, Instance>()
    for (const [key, { document }] of store.instances.entries) {
      if (serviceOf(key) === 'coordinator') continue
      instances.set(key, { presence: liveness.presence(key, clock), heartbeat: document })
    }
    return { wanted, instances, documents }
  }

  /** In their order, each only while the lease is held. Rejects with ConflictError. */
  async #write(writes: readonly Write[]): Promise<boolean> {
    const { lease, store } = this.#parts
    for (const { key, document, revision } of writes) {
      if (!lease.held) return false
      const before = new Set(store.assignments.entries.get(key)?.document.actors.map(({ epoch }) => epoch))
      await store.assignments.write(key, document, revision)
      this.placed += document.actors.filter(({ epoch }) => !before.has(epoch)).length
    }
    return writes.length > 0
  }

  async #trim(routes: readonly KnownRoute[]): Promise<void> {
    for (const route of routes) {
      if (this.problems.has(route.name) || !this.#parts.lease.held) continue
      await this.trimmer.trim(route)
    }
  }

  /** An instance that has been gone for long leaves nothing behind. */
  async #forgetTheDead(): Promise<void> {
    const { store, liveness, lease } = this.#parts
    for (const key of liveness.silent(performance.now(), forgetAfter)) {
      if (!lease.held) return
      const told = store.assignments.entries.get(key)
      const heartbeat = store.instances.entries.get(key)
      if (told !== undefined) await store.assignments.delete(key, told.revision)
      if (heartbeat !== undefined) await store.instances.delete(key, heartbeat.revision)
    }
  }

  #isDue(what: string, every: number): boolean {
    const clock = performance.now()
    if (clock < (this.#done.get(what) ?? Number.NEGATIVE_INFINITY) + every) return false
    this.#done.set(what, clock)
    return true
  }
}
