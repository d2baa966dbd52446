/** An actor of a placed service, run in the test's own process as a host would run it. */
import { Writable } from 'node:stream'
import { type ActorAssignment, Budget, type Bus } from '@millrace/bus'
import { type ActorContext, type Counts, newCounts, type PlacedService } from '@millrace/host'
import type { Connection, Route } from '@millrace/routes'
import { Histogram, openLog, Redactor } from '@millrace/telemetry'
import { eventually } from './eventually.ts'

/** Where it runs: its connection to NATS, its route, and the connections that the route names. */
export interface Stage {
  bus: Bus
  route: Route
  source: Connection
  sink: Connection
}

/** What a run of an actor told, and how to end it. */
export class ActorRun {
  readonly counts: Counts = newCounts()
  /** Each state, and the code of its problem where it has one. */
  readonly told: string[] = []
  /** The problems in words. */
  readonly messages: string[] = []
  /** What a lister told last. */
  lanes: readonly string[] | undefined
  /** The codes of what a sink has found that lowers its route's guarantee. */
  lowers: string[] = []
  /** How often `allowed` was asked, and what it answers. */
  asked = 0
  allowed = true
  /** What it may hold in memory; a test takes some for others. */
  readonly budget = new Budget(96 * 2 ** 20)
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  readonly #draining = new AbortController()

  constructor(service: PlacedService, actor: ActorAssignment, stage: Stage) {
    this.ended = service.start(actor, this.#context(stage))
    // Whoever looks at it sees the error.
    this.ended.catch(() => {})
  }

  /** Waits until it has told this last. */
  async is(state: string): Promise<void> {
    await eventually(() => this.told.at(-1) === state, { what: state, timeout: 30_000 }).catch(cause => {
      throw new Error(`${state}, not ${this.told.join(', ')}: ${this.messages.at(-1)}`, { cause })
    })
  }

  /** What it rejects with. */
  async failure(): Promise<{ code?: string; message: string }> {
    return await this.ended.then(
      () => Promise.reject(new Error(`it ended well (${this.told.join(', ')})`)),
      (error: Error) => error,
    )
  }

  async drain(): Promise<void> {
    this.#draining.abort()
    await this.ended
  }

  /** As a lease that ends would: nothing more may be sent. */
  async abort(): Promise<void> {
    this.#abort.abort()
    this.#draining.abort()
    await this.ended.catch(() => {})
  }

  #context(stage: Stage): ActorContext {
    const log = openLog({ level: 'info', base: {}, redactor: new Redactor(), stream: nowhere() })
    return {
      ...stage,
      installation: 'test',
      settings,
      budget: this.budget,
      counts: this.counts,
      latency: new Histogram(),
      log: log.logger,
      signal: this.#abort.signal,
      draining: this.#draining.signal,
      state: (state, problem) => {
        this.told.push([state, problem?.code].filter(Boolean).join(' '))
        if (problem !== undefined) this.messages.push(problem.message)
      },
      fresh: () => true,
      allowed: async () => {
        this.asked++
        return this.allowed
      },
      lanes: names => {
        this.lanes = names
      },
      lowers: problems => {
        this.lowers = problems.map(({ code }) => code)
      },
      tap: () => {},
      secret: () => Promise.reject(new Error('no secrets here')),
      conceal() {},
    }
  }
}

/** A host reads these; its actors only ask where secrets are. */
const settings: ActorContext['settings'] = {
  natsUrl: 'nats://127.0.0.1:4222',
  instance: 'one',
  secretsDir: '/nowhere',
  logLevel: 'info',
  httpHost: '127.0.0.1',
  httpPort: 0,
}

const nowhere = () => new Writable({ write: (_, __, done) => done() })
