/**
 * Keeps the actors that run equal to the ones that are wanted.
 *
 * 1. At most one run of an actor at a time: another one begins only when the one before has ended.
 * 2. Gone from the document, or another version of the route, or to be retired: drained (R13).
 * 3. Nothing but another epoch (it was lost and came back), or everything given up: aborted.
 * 4. An actor that is over (retired, fenced) stays listed until the document says something new about it, so that the
 *    coordinator sees how it ended, and it is not started again for nothing.
 */
import { type Actor, type Decision, type Life, supervise } from '@millrace/actor'
import type { ActorAssignment, ActorReport } from '@millrace/bus'
import { type Measures, newMeasures, reported } from './counts.ts'

/** How long an actor may take to finish what is in flight (R13), in milliseconds. */
export const drainWithin = 10_000

/** What the placement does with its actors. */
export interface PlacementOptions {
  /** One run of an actor. */
  readonly run: (assignment: ActorAssignment, measures: Measures, life: Life) => Promise<void>
  /** What to do about a run that failed. */
  readonly decide: (assignment: ActorAssignment, error: unknown) => Decision
  /** An actor's state has changed. */
  readonly changed: () => void
}

interface Placed {
  assignment: ActorAssignment
  measures: Measures
  actor: Actor
  /** Whether we told it to end; else, when it is over, it ended by itself. */
  told: boolean
  over: boolean
}

/** One actor, for the metrics. */
export interface PlacedView {
  assignment: ActorAssignment
  measures: Measures
  state: Actor['state']
  /** Why it holds or failed, and what it has found that must be known. */
  problems: readonly { code: string }[]
}

/** The actors of one instance. */
export class Placement {
  readonly #options: PlacementOptions
  readonly #placed = new Map<string, Placed>()
  /** Kept while an actor is wanted, so that its counters grow over its restarts. */
  readonly #measures = new Map<string, Measures>()
  #wanted = new Map<string, ActorAssignment>()
  #closing = false
  #allPaused = false
  readonly #paused = new Set<string>()

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** Makes it so. */
  obey(wanted: readonly ActorAssignment[]): void {
    this.#wanted = new Map(wanted.map(assignment => [assignment.id, assignment]))
    this.#settleAll()
  }

  /**
   * Aborts everything (R11). Nothing runs again until `obey` is called. What has failed for good does not run any more,
   * and is kept: an alarm stands until it is answered.
   */
  abandon(): void {
    for (const id of new Set([...this.#wanted.keys(), ...this.#placed.keys()])) {
      const placed = this.#placed.get(id)
      if (placed?.over && placed.actor.state === 'failed') continue
      this.#wanted.delete(id)
      if (placed !== undefined) abort(placed)
    }
    this.#settleAll()
  }

  /** Aborts one actor: it is not, or no longer, ours. */
  abandonOne(id: string): void {
    this.#wanted.delete(id)
    const placed = this.#placed.get(id)
    if (placed !== undefined) abort(placed)
    this.#settle(id)
  }

  /** Whether this very actor is wanted here. */
  wants({ id, epoch }: ActorAssignment): boolean {
    return this.#wanted.get(id)?.epoch === epoch
  }

  /** Whether the actor runs here, or is to. */
  has(id: string): boolean {
    return this.#wanted.has(id) || this.#placed.has(id)
  }

  /** Drains one actor, or all, and does not start it until `resume`. */
  pause(id: string | undefined): void {
    if (id === undefined) this.#allPaused = true
    else this.#paused.add(id)
    this.#settleAll()
  }

  /** Ends a pause of one actor, or of all, and starts again what had failed for good. */
  resume(id: string | undefined): void {
    if (id === undefined) {
      this.#allPaused = false
      this.#paused.clear()
    } else this.#paused.delete(id)
    for (const [name, placed] of this.#placed) {
      if (placed.over && placed.actor.state === 'failed' && (id ?? name) === name) this.#placed.delete(name)
    }
    this.#settleAll()
  }

  /** Whether all actors are paused. */
  get paused(): boolean {
    return this.#allPaused
  }

  /** Drains everything and starts nothing any more; resolves when all is over (R13). */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.all([...this.#placed.values()].map(({ actor }) => actor.drain(drainWithin)))
  }

  /** What runs here, and what waits to run here, as the heartbeat tells it. */
  reports(): ActorReport[] {
    const reports = [...this.#placed.values()].map(({ assignment: { id, epoch, version }, actor, measures }) => ({
      id,
      epoch,
      version,
      state: actor.state,
      ...(actor.reason && { problem: { code: actor.reason.code, message: actor.reason.message } }),
      ...(measures.lanes && { lanes: [...measures.lanes] }),
      ...(measures.lowers.length > 0 && { lowers: [...measures.lowers] }),
      counts: reported(measures),
    }))
    const waiting = [...this.#wanted.values()].filter(({ id }) => !this.#placed.has(id))
    return [...reports, ...waiting.map(({ id, epoch, version }) => ({ id, epoch, version, ...waits }))]
  }

  /** What runs here, for the metrics. */
  *views(): Iterable<PlacedView> {
    for (const { assignment, measures, actor } of this.#placed.values()) {
      const problems = [...(actor.reason ? [actor.reason] : []), ...measures.lowers]
      yield { assignment, measures, state: actor.state, problems }
    }
  }

  #settleAll(): void {
    for (const id of new Set([...this.#wanted.keys(), ...this.#placed.keys()])) this.#settle(id)
    this.#options.changed()
  }

  /** Takes the next step for one actor; called again when that step is over. */
  #settle(id: string): void {
    const held = this.#closing || this.#allPaused || this.#paused.has(id)
    const wanted = this.#wanted.get(id)
    const placed = this.#placed.get(id)
    if (placed === undefined) {
      if (wanted === undefined) this.#measures.delete(id)
      else if (!held) this.#start(wanted)
    } else if (!placed.over) {
      if (held || wanted === undefined || changed(wanted, placed.assignment)) drain(placed)
      else if (wanted.epoch !== placed.assignment.epoch) abort(placed)
    } else if (placed.told || wanted === undefined || wanted.epoch !== placed.assignment.epoch) {
      this.#placed.delete(id)
      this.#settle(id)
    }
  }

  #start(assignment: ActorAssignment): void {
    const { run, decide } = this.#options
    const measures = this.#measures.get(assignment.id) ?? newMeasures()
    this.#measures.set(assignment.id, measures)
    const actor = supervise(assignment.id, life => run(assignment, measures, life), {
      decide: error => decide(assignment, error),
      changed: this.#options.changed,
    })
    const placed = { assignment, measures, actor, told: false, over: false }
    this.#placed.set(assignment.id, placed)
    void this.#follow(placed)
  }

  async #follow(placed: Placed): Promise<void> {
    await placed.actor.ended
    placed.over = true
    this.#settle(placed.assignment.id)
    this.#options.changed()
  }
}

function abort(placed: Placed): void {
  placed.told = true
  placed.actor.abort()
}

function drain(placed: Placed): void {
  if (placed.told) return
  placed.told = true
  void placed.actor.drain(drainWithin)
}

/** An actor that is wanted and does not run is one that a pause keeps from running. */
const waits = { state: 'holding', problem: { code: 'paused', message: 'paused by an operator; resume it' } } as const

/** Whether it is other work. A changed epoch comes with it, but the run before it is still ours to finish. */
function changed(one: ActorAssignment, other: ActorAssignment): boolean {
  return one.version !== other.version || one.uid !== other.uid || one.retire !== other.retire
}
