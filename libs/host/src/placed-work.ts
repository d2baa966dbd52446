/** The work of an instance whose actors the coordinator places: follows the assignment, and runs what it names. */
import { aborted, type Decision, delay, type Life } from '@millrace/actor'
import { type ActorAssignment, assignmentDocument, Bucket, Budget, instanceKey, routesDocument } from '@millrace/bus'
import type { Logger } from '@millrace/telemetry'
import type { z } from 'zod'
import { Assignments } from './assignments.ts'
import type { Measures } from './counts.ts'
import { cleaned, complaints, problemOf } from './failure.ts'
import { actorFamilies } from './metrics.ts'
import { Placement } from './placement.ts'
import { findRoute, type RouteFound } from './route-lookup.ts'
import type { ActorContext, ControlAnswer, PlacedService } from './service.ts'
import type { InstanceParts, Work } from './work.ts'

/** What the lanes of one process hold of records at most, but for what each takes at a time (R8). */
const mostHeld = 64 * 2 ** 20

/** Builds it. `changed` is called when there is something new to tell in the heartbeat. */
export class PlacedWork<S extends z.ZodRawShape> implements Work {
  readonly #service: PlacedService<S>
  readonly #parts: InstanceParts<S>
  readonly #placement: Placement
  readonly #assignments: Assignments
  readonly #changed: () => void
  readonly #routes: Bucket<z.infer<typeof routesDocument>>
  /** Routes that actors run: a later version in the bucket does not keep an older one from being started again. */
  readonly #found = new WeakMap<ActorAssignment, RouteFound>()

  readonly #budget = new Budget(mostHeld)

  /** Answers who looks in on an actor that runs, by its id. */
  readonly #taps = new Map<string, ControlAnswer>()

  readonly operations: Map<string, ControlAnswer>
  #draining = false

  constructor(service: PlacedService<S>, parts: InstanceParts<S>, changed: () => void) {
    const { bus, settings, startId, lease, log } = parts
    this.#service = service
    this.#parts = parts
    this.#changed = changed
    this.#routes = new Bucket(bus, 'mr_routes', routesDocument)
    this.#placement = new Placement({
      run: (assignment, measures, life) => this.#run(assignment, measures, life),
      decide: (assignment, error) => this.#decide(assignment, error),
      changed,
    })
    this.#assignments = new Assignments({
      bucket: new Bucket(bus, 'mr_assign', assignmentDocument),
      key: instanceKey(service.name, settings.instance),
      startId,
      lease,
      placement: this.#placement,
      changed,
      failed: complaints(log, 'the assignment could not be read'),
    })
    this.operations = new Map([
      ['pause', this.#operation(actor => this.#placement.pause(actor))],
      ['resume', this.#operation(actor => this.#resume(actor))],
      ['drain', this.#operation(() => this.#drain())],
      ['tap', request => this.#tap(request)],
    ])
  }

  reports = () => this.#placement.reports()
  families = () => actorFamilies([...this.#placement.views()], this.#parts.settings.instance)
  lapsed = () => {
    this.#placement.abandon()
    this.#assignments.forget()
  }
  check = () => this.#assignments.soon()
  run = (signal: AbortSignal) => this.#assignments.run(signal)
  close = () => this.#placement.close()

  get seen() {
    return this.#assignments.seen
  }

  get notReady() {
    if (!this.#parts.lease.held(performance.now())) return 'no heartbeat was stored in the last 4 s'
    return this.#assignments.known ? undefined : 'the assignment has not been read yet'
  }

  get state() {
    if (this.#draining) return 'draining'
    return this.#placement.paused ? 'paused' : 'running'
  }

  async #run(assignment: ActorAssignment, measures: Measures, life: Life): Promise<void> {
    const found = this.#found.get(assignment) ?? (await findRoute(this.#routes, assignment))
    this.#found.set(assignment, found)
    if (life.draining.aborted) return
    // What an earlier run has found was for the route as it was then.
    measures.lanes = undefined
    measures.lowers = []
    const { settings, bus, secret, conceal, redactor } = this.#parts
    const log = this.#logOf(assignment)
    const context: ActorContext<S> = {
      ...found,
      ...measures,
      settings,
      bus,
      budget: this.#budget,
      secret,
      conceal,
      log,
      signal: life.signal,
      draining: life.draining,
      state: telling(log, (state, problem) => life.state(state, problem && cleaned(problem, redactor))),
      fresh: () => !life.signal.aborted && this.#parts.lease.fresh(performance.now()),
      allowed: () => this.#allowed(assignment, life.signal),
      lanes: names => {
        measures.lanes = names
        this.#changed()
      },
      lowers: problems => {
        measures.lowers = problems.map(problem => cleaned(problem, redactor))
        this.#changed()
      },
      tap: answer => void this.#taps.set(assignment.id, answer),
    }
    log.debug({ version: assignment.version }, 'actor begins')
    try {
      await this.#service.start(assignment, context)
    } finally {
      log.debug('actor ended')
      this.#taps.delete(assignment.id)
    }
  }

  /**
   * R11: reads the assignment again, whatever the lease says. While NATS does not answer this waits; the end of the
   * lease aborts the actor, and at once this as well.
   */
  async #allowed(assignment: ActorAssignment, signal: AbortSignal): Promise<boolean> {
    const { lease } = this.#parts
    while (!signal.aborted) {
      lease.tick(performance.now(), Date.now())
      try {
        await Promise.race([this.#assignments.refresh(), aborted(signal)])
      } catch {
        await delay(100, signal)
        continue
      }
      if (signal.aborted) return false
      if (!this.#placement.wants(assignment)) this.#placement.abandonOne(assignment.id)
      else if (lease.fresh(performance.now())) return true
      else await delay(100, signal)
    }
    return false
  }

  /** An operation on one actor, where the request names one, or on all. */
  #operation(act: (actor: string | undefined) => void): ControlAnswer {
    return async ({ actor }) => {
      const id = typeof actor === 'string' ? actor : undefined
      if (id !== undefined && !this.#placement.has(id)) {
        return { problem: { code: 'unknown_actor', message: `There is no actor ${id} here.` } }
      }
      act(id)
      this.#changed()
      return {}
    }
  }

  async #tap(request: Parameters<ControlAnswer>[0]): ReturnType<ControlAnswer> {
    const answer = this.#taps.get(String(request['actor']))
    if (answer !== undefined) return await answer(request)
    return { problem: { code: 'unknown_actor', message: 'No such sink runs here now.' } }
  }

  #resume(actor: string | undefined): void {
    if (actor === undefined) this.#draining = false
    this.#placement.resume(actor)
  }

  /** The coordinator sees the state, and moves the actors away one by one. */
  #drain(): void {
    this.#draining = true
  }

  #decide(assignment: ActorAssignment, error: unknown): Decision {
    const { problem: reason, final } = problemOf(error, this.#parts.redactor)
    // Another owner is there: the assignment that says so may not have been seen yet.
    if (final) this.#assignments.soon()
    this.#logOf(assignment).error({ err: error, code: reason.code }, final ? 'actor stopped for good' : 'actor failed')
    return { restart: !final, reason }
  }

  /** At the route's level, once the route is known. */
  #logOf(assignment: ActorAssignment) {
    const { route, lane, role, epoch } = assignment
    const level = this.#found.get(assignment)?.route.logLevel
    return this.#parts.log.child({ route, lane, role, epoch }, { ...(level !== undefined && { level }) })
  }
}

/** Logs what an actor holds for, and that it goes on; once, however often it is told. */
function telling(log: Logger, tell: Life['state']): Life['state'] {
  let held: string | undefined
  return (state, problem) => {
    const holds = state === 'holding' ? problem?.code : undefined
    if (holds !== undefined && holds !== held) log.warn({ code: holds }, problem?.message)
    if (holds === undefined && held !== undefined) log.info({ code: held }, 'that is over')
    held = holds
    tell(state, problem)
  }
}
