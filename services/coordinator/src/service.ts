/**
 * The coordinator: routes + live instances -> who runs which actor; trims lanes. Never on the data path: while it is
 * away data flows on.
 *
 *   mr_routes, mr_instances, mr_assign --(mirrors)--> plan() --(compare-and-set)--> mr_assign
 *   mr_positions --> purge of what was delivered
 *   one process leads, by its lease (`lease.ts`); the others watch, and stand by
 */
import { randomBytes } from 'node:crypto'
import type { Problem } from '@millrace/bus'
import type { StandingContext, StandingService } from '@millrace/host'
import { z } from 'zod'
import { answerApply, answerDelete, type Office } from './control.ts'
import { mostActors } from './balance.ts'
import { Epochs, EpochsExhaustedError } from './epoch.ts'
import { Leader } from './leader.ts'
import { Lease } from './lease.ts'
import { Liveness } from './liveness.ts'
import { coordinatorMetrics } from './metrics.ts'
import { SupersededError } from './plan.ts'
import { makeBuckets, Store } from './store.ts'
import { highestTerm } from './terms.ts'
import { Turns } from './turns.ts'

const settings = {
  installation: z
    .string()
    .regex(/^[a-z0-9]{1,20}$/, 'expected 1 to 20 of a-z 0-9')
    .optional()
    .describe('Keeps two Millraces on the same brokers apart: written once, at the first start. None: a random one.'),
  replicas: z.coerce
    .number()
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe('Replicas of every stream and bucket: 3 where NATS is a cluster.'),
  natsMonitorUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Monitoring URL of nats-server: tells how much space is left when an apply asks for too much.'),
}

/** So many problems are told in a heartbeat, which goes out every second; a line each. */
const shownProblems = 10

type Context = StandingContext<typeof settings>

/** One coordinator: a standby until it is its turn to lead. */
class Coordinator {
  readonly #context: Context
  readonly #liveness = new Liveness()
  readonly #store: Store
  readonly #lease: Lease
  #leader: Leader | undefined
  #term = 0
  /** What was in the way at the last look. */
  #known: readonly string[] = []

  constructor(context: Context) {
    const { bus, instance, startId } = context
    this.#context = context
    this.#store = new Store(bus, {
      heartbeat: (key, heartbeat) => {
        if (heartbeat === undefined) this.#liveness.forget(key)
        else this.#liveness.heard(key, heartbeat, performance.now())
      },
      changed: () => this.#leader?.wake(),
    })
    this.#lease = new Lease(this.#store.leader, { instance, startId, highestTerm: () => highestTerm(bus, this.#store) })
    const { replicas, natsMonitorUrl: monitorUrl } = context.settings
    const room = { bus, replicas, monitorUrl, routes: this.#store.routes.bucket }
    const office: Office = { store: this.#store, room, turns: new Turns(), leads: () => this.#lease.held }
    context.control('apply', request => answerApply(office, request))
    context.control('delete', request => answerDelete(office, request))
    context.metrics(() => coordinatorMetrics(this.#leader, this.#term, this.#store))
  }

  /** Watches, and leads whenever it can, until it is drained. */
  async run(): Promise<void> {
    const { bus, draining } = this.#context
    await makeBuckets(bus, this.#context.settings.replicas)
    const over = new AbortController()
    const off = bus.on(event => event.is === 'connected' && this.#liveness.bePatient(performance.now()))
    const following = this.#store.follow(over.signal)
    try {
      await Promise.race([this.#compete(draining), following])
    } finally {
      over.abort()
      off()
      await following
    }
  }

  async #compete(draining: AbortSignal): Promise<void> {
    this.#context.state('running')
    while (!draining.aborted) {
      const term = await this.#lease.take(draining)
      if (term !== undefined) await this.#lead(term, draining)
    }
  }

  async #lead(term: number, draining: AbortSignal): Promise<void> {
    const { bus, log, settings } = this.#context
    const { replicas, installation = randomBytes(4).toString('hex') } = settings
    const kept = this.#store.routes.entries.get('current')?.document.installation ?? installation
    if (settings.installation !== undefined && kept !== installation) {
      log.warn({ kept, installation }, 'the installation has another name already, and keeps it')
    }
    const parts = { bus, store: this.#store, liveness: this.#liveness, lease: this.#lease, replicas, installation }
    const leader = new Leader({ ...parts, epochs: new Epochs(term), looked: () => this.#tell(leader) })
    this.#liveness.bePatient(performance.now())
    this.#leader = leader
    this.#term = term
    log.info({ term }, 'leads')
    const over = new AbortController()
    const keeping = this.#lease.keep(over.signal).finally(() => leader.wake())
    try {
      await leader.lead(draining)
    } catch (error) {
      if (!(error instanceof SupersededError || error instanceof EpochsExhaustedError)) throw error
      this.#lease.drop()
    } finally {
      this.#leader = undefined
      over.abort()
      await keeping
      log.info({ term }, 'leads no more')
    }
  }

  /** What stands in the way is this instance's own state while it leads, and is logged when it is new. */
  #tell({ problems, deaf, overflowing }: Leader): void {
    const all: readonly Problem[] = [...problems.all, ...deaf.map(isDeaf), ...overflowing.map(overflows)]
    const known = new Set(this.#known)
    for (const { code, message } of all) if (!known.has(message)) this.#context.log.warn({ code }, message)
    this.#known = all.map(({ message }) => message)
    const [first] = all
    if (first === undefined) return this.#context.state('running')
    const more = all.length > shownProblems ? [`and ${all.length - shownProblems} more: they are in its log`] : []
    const lines = [...this.#known.slice(0, shownProblems), ...more]
    this.#context.state('holding', { code: first.code, message: lines.join('\n') })
  }
}

function isDeaf(key: string): Problem {
  const message = `Instance ${key} has not seen what it was told for 30 s, though its heartbeats go on: it gets no more lanes, and keeps those that it runs. Is it of another version? Restart it.`
  return { code: 'instance_deaf', message }
}

function overflows([service, actors]: readonly [string, number]): Problem {
  const message = `${actors} actors have no place: the instances of ${service} have ${mostActors} each, and can have no more. Start more instances of it.`
  return { code: 'instances_full', message }
}

/** What the process runs. */
export const service: StandingService<typeof settings> = {
  name: 'coordinator',
  settings,
  run: context => new Coordinator(context).run(),
}
