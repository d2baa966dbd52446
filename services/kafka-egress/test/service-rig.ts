/** The service as a process, on a bus where a test is the coordinator and the source. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  assignmentDocument,
  Bucket,
  instanceDocument,
  type LaneAppender,
  type LaneName,
  openLane,
  routesDocument,
} from '@millrace/bus'
import { BatchBuilder, viewOf } from '@millrace/record'
import {
  type Documents,
  documentsFrom,
  documentsOf,
  eventually,
  type Installation,
  passwords,
  storedDocuments,
} from '@millrace/testkit'

const main = new URL('../src/main.ts', import.meta.url).pathname

/** An instance of the service. */
export class Instance implements AsyncDisposable {
  readonly name: string
  readonly #installation: Installation
  #child: ChildProcess
  /** Of the process that was assigned to last. */
  #startId = ''

  constructor(installation: Installation, name: string) {
    this.#installation = installation
    this.name = name
    this.#child = this.#spawn()
  }

  /** Sends a signal; one that ends it is waited for. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.#ended()
  }

  restart(): void {
    this.#child = this.#spawn()
  }

  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** Its heartbeat, as others see it. */
  async heartbeat() {
    const bucket = new Bucket(this.#installation.coordinator, 'mr_instances', instanceDocument)
    return (await bucket.read(`kafka-egress.${this.name}`))?.value
  }

  /** Tells a process that has not been told anything yet to run the sinks of these routes. */
  async assign(epoch: number, ...routes: string[]): Promise<void> {
    const isAnother = async () => {
      const document = await this.heartbeat()
      return document?.state === 'running' && document.startId !== this.#startId ? document.startId : undefined
    }
    // A killed process leaves its heartbeat behind: what counts is another start id.
    const startId = await eventually(isAnother, { what: 'a heartbeat', timeout: 30_000 })
    this.#startId = startId ?? ''
    const bucket = new Bucket(this.#installation.coordinator, 'mr_assign', assignmentDocument)
    const revision = (await bucket.read(`kafka-egress.${this.name}`))?.revision ?? 0
    const actors = routes.map(route => {
      return {
        id: `sink.${route}.0`,
        role: 'sink' as const,
        route,
        uid: route.toUpperCase(),
        lane: '0',
        epoch,
        version: 1,
      }
    })
    await bucket.update(`kafka-egress.${this.name}`, { term: 1, startId: this.#startId, actors }, revision)
  }

  /** Waits until its actor is in that state, with that problem. */
  async state(route: string, state: string, problem?: string): Promise<void> {
    const isSo = async () => {
      const actor = (await this.heartbeat())?.actors.find(({ id }) => id === `sink.${route}.0`)
      return actor?.state === state && actor.problem?.code === problem
    }
    await eventually(isSo, { what: `${route} ${state} ${problem ?? ''}`, timeout: 60_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGCONT')
    await this.kill('SIGKILL')
  }

  #spawn(): ChildProcess {
    return spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        MILLRACE_NATS_URL: this.#installation.nats.url,
        MILLRACE_NATS_PASSWORD: passwords['kafka-egress'],
        MILLRACE_INSTANCE: this.name,
        MILLRACE_LOG_LEVEL: 'fatal',
      },
      stdio: 'inherit',
    })
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}

/** Makes these routes: name to the flow-style YAML of their `sink`, without its connection. */
export async function applyRoutes(
  installation: Installation,
  broker: string,
  sinks: { [route: string]: string },
): Promise<void> {
  await store(installation, documentsOf(sinks, broker))
}

/** The same from Kafka, with `delivery: exactlyOnce`. */
export async function applyExactRoutes(
  installation: Installation,
  broker: string,
  sinks: { [route: string]: string },
): Promise<void> {
  const routes = Object.entries(sinks).map(([name, sink]): Parameters<typeof documentsFrom>[number] => {
    const spec = `{ source: { connection: lake, topics: [in] }, sink: { connection: lake, ${sink} }, delivery: exactlyOnce }`
    return ['Route', name, spec]
  })
  await store(installation, documentsFrom(['Connection', 'lake', { kafka: { brokers: [broker] } }], ...routes))
}

async function store(installation: Installation, documents: Documents): Promise<void> {
  await new Bucket(installation.coordinator, 'mr_routes', routesDocument).create('current', storedDocuments(documents))
  for (const { name } of documents.routes) await installation.route(name)
}

/** Whose lane it is. */
type Ingress = 'mqtt-ingress' | 'kafka-ingress'

/** The source's end of a lane, which a test writes to. */
export class Source {
  readonly #appender: LaneAppender

  private constructor(appender: LaneAppender) {
    this.#appender = appender
  }

  static async open(installation: Installation, route: string, service: Ingress = 'mqtt-ingress'): Promise<Source> {
    const lane: LaneName = { service, route, lane: '0' }
    const bus = await installation.connect(service)
    const { signal } = installation
    return new Source(
      await openLane({ bus, lane, uid: route.toUpperCase(), epoch: 1, signal, start: () => '', tell() {} }),
    )
  }

  /** Appends records, the keys of which are what is before the colon of their values. */
  async append(values: readonly string[]): Promise<void> {
    const builder = new BatchBuilder()
    for (const value of values) {
      const key = Buffer.from(value.split(':')[0] ?? '')
      builder.add(viewOf({ timestamp: 1_700_000_000_000, key, value: Buffer.from(value), headers: [] }))
    }
    await this.#appender.append({ payload: builder.finish(), count: values.length, position: 'p' })
  }
}
