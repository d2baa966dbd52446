/**
 * One term as the leader: sees, plans, writes; lets lanes and routes end; trims. Every step can be cut off anywhere: the
 * next leader finds in the buckets how far it came.
 */
import { delay } from '@millrace/actor'
import { AlarmError, type Bus, ConflictError, type RoutesDocument, UnknownOutcomeError } from '@millrace/bus'
import { Attention } from './attention.ts'
import type { Epochs } from './epoch.ts'
import type { Lease } from './lease.ts'
import { learn } from './listed.ts'
import type { Liveness } from './liveness.ts'
import { plan, type Write } from './plan.ts'
import { RouteProblems } from './problems.ts'
import { Provision } from './provision.ts'
import { retire } from './retire.ts'
import { hasLane, type KnownRoute, knownRoutes } from './route-lanes.ts'
import { overflowing, type Revised, unplaced } from './situation.ts'
import { situationOf } from './look.ts'
import type { Store } from './store.ts'
import { Strangers } from './strangers.ts'
import { Trimmer } from './trim.ts'

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
  readonly problems = new RouteProblems()
  /** Instances that are heard and do not hear, as of the last look. */
  deaf: readonly string[] = []
  /** Services that have more actors than their instances can hold, and how many more, as of the last look. */
  overflowing: readonly (readonly [service: string, actors: number])[] = []
  readonly #attention = new Attention()
  readonly #parts: LeaderParts
  readonly #provision: Provision
  readonly #strangers: Strangers
  #kept: Revised<RoutesDocument> | undefined
  #routes: readonly KnownRoute[] = []
  #reloadAt = 0
  #soon = new AbortController()

  constructor(parts: LeaderParts) {
    this.#parts = parts
    this.#provision = new Provision(parts.bus, parts.store, parts.replicas)
    this.#strangers = new Strangers(parts.bus, parts.store)
    this.trimmer = new Trimmer(parts.bus, parts.store)
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
    const over = new AbortController()
    const stop = () => over.abort()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    try {
      // Planning is told at once that the lease is lost; the next term does not wait for trimming to notice.
      await Promise.all([this.#keepPlanning(over.signal).finally(stop), this.#keepTrimming(over.signal)])
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  }

  async #keepPlanning(signal: AbortSignal): Promise<void> {
    const wake = () => this.wake()
    signal.addEventListener('abort', wake)
    while (this.#goesOn(signal)) {
      this.#soon = new AbortController()
      const again = await this.#tryPass(signal)
      this.#parts.looked()
      if (!again && this.#goesOn(signal)) await delay(lookEvery, this.#soon.signal)
    }
    signal.removeEventListener('abort', wake)
  }

  async #keepTrimming(signal: AbortSignal): Promise<void> {
    while (this.#goesOn(signal)) {
      try {
        if (this.#routes.length > 0) {
          await this.trimmer.trim(this.#routes, this.problems)
          await this.#strangers.look(this.#routes, this.problems)
        }
      } catch (error) {
        if (!(error instanceof UnknownOutcomeError)) throw error
      }
      await delay(trimEvery, signal)
    }
  }

  #goesOn(signal: AbortSignal): boolean {
    return !signal.aborted && this.#parts.lease.held
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
    const { store, bus, lease } = this.#parts
    if (performance.now() >= this.#reloadAt) {
      await store.reload(signal)
      this.#reloadAt = performance.now() + reloadEvery
    }
    await store.restore()
    await this.#hearTheSilent()
    const kept = store.routes.entries.get('current')
    if (kept === undefined) return this.#makeRoutes()
    if (kept !== this.#kept) this.#routes = knownRoutes(kept.document)
    this.#kept = kept
    const routes = this.#routes
    this.problems.keepOnly(place => place.route in kept.document.routes && hasLane(routes, place))
    await this.#provision.prepareAll(routes, this.problems)
    const isReady = (route: KnownRoute, lane: string) => this.#provision.isReady(route, lane)
    const watched = { ...this.#parts, attention: this.#attention }
    const now = situationOf(watched, { document: kept.document, routes, isReady })
    this.deaf = [...now.instances].filter(([, { presence }]) => presence === 'deaf').map(([key]) => key)
    this.overflowing = overflowing(now)
    if (await this.#write(plan(now, this.#parts.epochs))) return true
    this.unplaced = unplaced(now)
    const step = { bus, store, kept, routes, now, problems: this.problems }
    if (lease.held && ((await learn(step)) || (await retire(step)))) return true
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
    if ((await store.routes.bucket.badRevision('current')) !== undefined) {
      throw new AlarmError('routes_unreadable', 'mr_routes/current is no document of ours: restore it from a backup.')
    }
    const first: RoutesDocument = { installation, connections: {}, routes: {} }
    await store.routes.write('current', first, 0)
    return true
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
}
