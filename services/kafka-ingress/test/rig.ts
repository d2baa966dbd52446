/** What the tests of kafka-ingress run against: nats-server, the streams of one route, and actors as a host would run them. */
import { Writable } from 'node:stream'
import { type ActorAssignment, Bucket, type Bus, LaneReader, readEnd, routesDocument } from '@millrace/bus'
import { type ActorContext, type Counts, newCounts } from '@millrace/host'
import { type Record, recordOf, RecordSetReader } from '@millrace/record'
import { type Connection, readDocuments, type Route } from '@millrace/routes'
import { Histogram, type Log, openLog, Redactor } from '@millrace/telemetry'
import { eventually, install, type Installation, type NatsServer, storedDocuments } from '@millrace/testkit'
import { service } from '../src/service.ts'

const routeName = 'r'
const uid = 'R'

/** What a test says of the route's source, and of how an actor is told to end. */
export interface RunOptions {
  source?: object
  route?: object
  lane?: string
  retire?: boolean
}

/** What a run of an actor told, and how to end it. */
export class Run {
  readonly counts: Counts = newCounts()
  readonly told: string[] = []
  readonly messages: string[] = []
  /** What a lister told. */
  lanes: readonly string[] | undefined
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  readonly #draining = new AbortController()
  allowed = true

  constructor(rig: Rig, actor: ActorAssignment, options: RunOptions) {
    const { route, connections } = rig.documents(options)
    const [lake] = connections
    if (lake === undefined) throw new Error('no connection')
    const context: ActorContext = {
      installation: 'test',
      route,
      source: lake,
      sink: lake,
      settings: rig.settings,
      bus: rig.bus,
      counts: this.counts,
      latency: new Histogram(),
      log: rig.log.logger,
      signal: this.#abort.signal,
      draining: this.#draining.signal,
      state: (state, problem) => {
        this.told.push([state, problem?.code].filter(Boolean).join(' '))
        if (problem !== undefined) this.messages.push(problem.message)
      },
      fresh: () => true,
      allowed: async () => this.allowed,
      tap: () => {},
      lanes: names => {
        this.lanes = names
      },
      secret: () => Promise.reject(new Error('no secrets here')),
    }
    this.ended = service.start(actor, context)
    // Whoever looks at it sees the error.
    this.ended.catch(() => {})
  }

  /** Waits until it has told this last. */
  async is(state: string): Promise<void> {
    const what = () => `${state} (${this.told.join(', ')}; ${this.messages.at(-1)})`
    await eventually(() => this.told.at(-1) === state, { what: state, timeout: 30_000 }).catch(error => {
      throw new Error(what(), { cause: error })
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
}

/** NATS, and one route. */
export class Rig implements AsyncDisposable {
  readonly installation: Installation
  /** The connection of the actors, with the rights of kafka-ingress and no more. */
  bus: Bus
  /** The connection that looks at what they wrote. */
  readonly reader: Bus
  readonly log: Log
  /** Where actors find Kafka. */
  readonly broker: string
  #epoch = 0
  readonly #runs: Run[] = []

  private constructor(installation: Installation, broker: string, [bus, reader]: [Bus, Bus]) {
    this.installation = installation
    this.broker = broker
    this.bus = bus
    this.reader = reader
    const stream = new Writable({ write: (_, __, done) => done() })
    this.log = openLog({ level: 'info', base: {}, redactor: new Redactor(), stream })
  }

  static async start(broker: string): Promise<Rig> {
    const installation = await install()
    await installation.route(routeName, 256 * 2 ** 20)
    const bus = await installation.connect('kafka-ingress')
    return new Rig(installation, broker, [bus, await installation.connect('kafka-egress')])
  }

  get nats(): NatsServer {
    return this.installation.nats
  }

  get settings(): ActorContext['settings'] {
    const pages = { httpHost: '127.0.0.1', httpPort: 0 }
    return { natsUrl: this.nats.url, instance: 'one', secretsDir: '/nowhere', logLevel: 'info', ...pages }
  }

  /** The route and its connection, as a test wants them. */
  documents({ source, route: more }: RunOptions): { route: Route; connections: Connection[] } {
    const spec = {
      source: { connection: 'lake', topics: ['t'], ...source },
      sink: { connection: 'lake', topic: 'x' },
      ...more,
    }
    const documents = [
      ['Connection', 'lake', { kafka: { brokers: [this.broker] } }],
      ['Route', routeName, spec],
    ].map(([kind, name, spec]) => JSON.stringify({ apiVersion: 'millrace.dev/v1', kind, metadata: { name }, spec }))
    const { routes, connections, problems } = readDocuments([{ file: 'test.yaml', text: documents.join('\n---\n') }])
    const [route] = routes
    const errors = problems.filter(({ severity }) => severity === 'error')
    if (route === undefined || errors.length > 0) throw new Error(JSON.stringify(errors))
    return { route, connections }
  }

  /** Keeps the route with these lanes, as the coordinator does. */
  async keep(lanes: readonly string[]): Promise<void> {
    const { route, connections } = this.documents({})
    const document = storedDocuments({ routes: [route], connections })
    const routes = Object.entries(document.routes).map(([name, kept]) => [name, { ...kept, lanes: [...lanes] }])
    const bucket = new Bucket(this.installation.coordinator, 'mr_routes', routesDocument)
    await bucket.create('current', { ...document, routes: Object.fromEntries(routes) })
  }

  /** An actor of the route, with a new epoch. */
  actor(role: 'source' | 'lister', { lane = 't/0', retire = false }: RunOptions = {}): ActorAssignment {
    const name = role === 'lister' ? 'lister' : lane
    const id = `${role}.${routeName}.${name}`
    return { id, role, route: routeName, lane: name, uid, epoch: ++this.#epoch, version: 1, retire }
  }

  /** Starts the source of a lane: `t/0` unless said otherwise. */
  run(options: RunOptions = {}): Run {
    return this.#start('source', options)
  }

  /** Starts the route's lister. */
  list(options: RunOptions = {}): Run {
    return this.#start('lister', options)
  }

  #start(role: 'source' | 'lister', options: RunOptions): Run {
    const run = new Run(this, this.actor(role, options), options)
    this.#runs.push(run)
    return run
  }

  /** Every record that a lane holds now, with its offset. */
  async records(lane = 't/0'): Promise<(Record & { offset: bigint })[]> {
    const name = { service: 'kafka-ingress', route: routeName, lane } as const
    const end = await readEnd(this.reader, name)
    const total = end === undefined ? 0 : end.base + end.count
    const stop = new AbortController()
    const place = { after: { sequence: 0 }, base: 0, signal: stop.signal }
    const reader = new LaneReader({ bus: this.reader, lane: name, uid, ...place })
    const batches = new RecordSetReader({ maxBytes: 2 ** 30 })
    const records: (Record & { offset: bigint })[] = []
    while (records.length < total) {
      const batch = await eventually(() => reader.take(), { what: 'a batch', interval: 1 })
      if (batch === undefined || batch.count === 0) continue
      batches.open(batch.payload, batch.count)
      while (batches.next()) records.push({ ...recordOf(batches.view), offset: batches.offset })
    }
    stop.abort()
    return records
  }

  async values(lane?: string): Promise<string[]> {
    return (await this.records(lane)).map(({ value }) => String(value))
  }

  /** The lane's last message: how many records the lane holds, and where its source goes on. */
  async end(
    lane = 't/0',
  ): Promise<{ records: number; position: { offset?: string; leaderEpoch?: number }; source: unknown } | undefined> {
    const end = await readEnd(this.reader, { service: 'kafka-ingress', route: routeName, lane })
    if (end === undefined) return undefined
    const position = end.position === '' ? {} : JSON.parse(end.position)
    return { records: end.base + end.count, position, source: JSON.parse(end.source ?? 'null') }
  }

  /** Waits until the lane holds so many records. */
  async stored(count: number, lane?: string): Promise<void> {
    const isThere = async () => ((await this.end(lane))?.records ?? 0) >= count
    await eventually(isThere, { what: `${count} records stored`, timeout: 30_000 })
  }

  /** Waits until the lane's source goes on at that offset. */
  async goesOnAt(offset: number, lane?: string): Promise<void> {
    const isThere = async () => (await this.end(lane))?.position.offset === String(offset)
    await eventually(isThere, { what: `a position of ${offset}`, timeout: 30_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runs.map(run => run.abort()))
    await this.installation[Symbol.asyncDispose]()
  }
}
