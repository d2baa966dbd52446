/** What the tests of kafka-ingress run against: nats-server, the streams of one route, and actors as a host would run them. */
import { type ActorAssignment, Bucket, type Bus, type LaneName, readEnd, routesDocument } from '@millrace/bus'
import type { Record } from '@millrace/record'
import {
  ActorRun,
  type Documents,
  documentsFrom,
  eventually,
  install,
  type Installation,
  type NatsServer,
  readLane,
  storedDocuments,
  untilStored,
} from '@millrace/testkit'
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

const nameOf = (lane: string): LaneName => ({ service: 'kafka-ingress', route: routeName, lane })

/** NATS, and one route. */
export class Rig implements AsyncDisposable {
  readonly installation: Installation
  /** The connection of the actors, with the rights of kafka-ingress and no more. */
  bus: Bus
  /** The connection that looks at what they wrote. */
  readonly reader: Bus
  /** Where actors find Kafka. */
  readonly broker: string
  #epoch = 0
  readonly #runs: ActorRun[] = []

  private constructor(installation: Installation, broker: string, [bus, reader]: [Bus, Bus]) {
    this.installation = installation
    this.broker = broker
    this.bus = bus
    this.reader = reader
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

  /** The route and its connection, as a test wants them. */
  documents({ source, route }: RunOptions): Documents {
    const spec = {
      source: { connection: 'lake', topics: ['t'], ...source },
      sink: { connection: 'lake', topic: 'x' },
      ...route,
    }
    return documentsFrom(['Connection', 'lake', { kafka: { brokers: [this.broker] } }], ['Route', routeName, spec])
  }

  /** Keeps the route with these lanes, found by what was looked for, as the coordinator does. */
  async keep(lanes: readonly string[], looked?: readonly string[]): Promise<void> {
    const document = storedDocuments(this.documents({}))
    const routes = Object.entries(document.routes).map(([name, kept]) => [
      name,
      { ...kept, lanes: [...lanes], ...(looked && { looked: [...looked] }) },
    ])
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
  run(options: RunOptions = {}): ActorRun {
    return this.#start('source', options)
  }

  /** Starts the route's lister. */
  list(options: RunOptions = {}): ActorRun {
    return this.#start('lister', options)
  }

  #start(role: 'source' | 'lister', options: RunOptions): ActorRun {
    const { routes, connections } = this.documents(options)
    const [[route], [lake]] = [routes, connections]
    if (route === undefined || lake === undefined) throw new Error('no route, or no connection')
    const run = new ActorRun(service, this.actor(role, options), { bus: this.bus, route, source: lake, sink: lake })
    this.#runs.push(run)
    return run
  }

  /** Every record that a lane holds now, with its offset. */
  async records(lane = 't/0'): Promise<(Record & { offset: bigint })[]> {
    return await readLane(this.reader, nameOf(lane), uid)
  }

  async values(lane?: string): Promise<string[]> {
    return (await this.records(lane)).map(({ value }) => String(value))
  }

  /** The lane's last message: how many records the lane holds, and where its source goes on. */
  async end(
    lane = 't/0',
  ): Promise<{ records: number; position: { offset?: string; leaderEpoch?: number }; source: unknown } | undefined> {
    const end = await readEnd(this.reader, nameOf(lane))
    if (end === undefined) return undefined
    const position = end.position === '' ? {} : JSON.parse(end.position)
    return { records: end.base + end.count, position, source: JSON.parse(end.source ?? 'null') }
  }

  /** Waits until the lane holds so many records. */
  async stored(count: number, lane = 't/0'): Promise<void> {
    await untilStored(this.reader, nameOf(lane), count)
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
