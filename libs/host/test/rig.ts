/** What the tests of the host share: a nats-server with the buckets, a coordinator's hand, and services as processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import {
  type ActorAssignment,
  askControl,
  assignmentDocument,
  Bucket,
  type BucketName,
  bucketNames,
  type Bus,
  connectBus,
  type InstanceDocument,
  instanceDocument,
  makeBucket,
  natsUsers,
  routesDocument,
} from '@millrace/bus'
import { readDocuments, storedConnection, storedRoute } from '@millrace/routes'
import { bareEnvironment, eventually, guarded, type NatsServer, startNats } from '@millrace/testkit'
import { z } from 'zod'

const documents = `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec: { mqtt: { url: "mqtt://127.0.0.1:1883" } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec: { kafka: { brokers: ["127.0.0.1:9092"] } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: r }
spec: { source: { connection: plant, topics: [a] }, sink: { connection: lake, topic: t } }
`

const logLine = z.looseObject({
  time: z.string(),
  msg: z.string(),
  event: z.string().optional(),
  epoch: z.number().optional(),
})

/** Waits for something that is not undefined. */
async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  options: { what: string; timeout?: number },
): Promise<T> {
  const found = await eventually(look, options)
  if (found === undefined) throw new Error(options.what)
  return found
}

/** A line that a service logged, and when it did so, as `performance.now()` is here: it may be read much later. */
export interface Line extends z.infer<typeof logLine> {
  at: number
}

/** A service in a process of its own. */
export class TestService implements AsyncDisposable {
  readonly lines: Line[] = []
  readonly child: ChildProcess
  readonly #exited: Promise<number | null>

  constructor(file: string, env: Record<string, string>) {
    this.child = spawn(...guarded(process.execPath, [new URL(file, import.meta.url).pathname]), {
      env: { ...bareEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#exited = once(this.child, 'exit').then(() => this.child.exitCode)
    if (this.child.stdout !== null) {
      createInterface(this.child.stdout).on('line', text => {
        const line = logLine.parse(JSON.parse(text))
        this.lines.push({ ...line, at: Date.parse(line.time) - performance.timeOrigin })
      })
    }
  }

  /** What the actors told, in order. */
  events(...names: string[]): Line[] {
    return this.lines.filter(({ event }) => event !== undefined && names.includes(event))
  }

  /** Waits for the nth event of this name. */
  async saw(event: string, times = 1): Promise<Line> {
    return until(() => this.events(event)[times - 1], { what: `${event} (${times})` })
  }

  /** The port of its pages. */
  async port(): Promise<number> {
    const pages = () => this.lines.find(({ msg }) => msg.startsWith('pages'))
    const line = await until(pages, { what: 'pages' })
    return z.number().parse(line['port'])
  }

  /** Its exit code, once it has ended by itself. */
  async exited(): Promise<number | null> {
    await eventually(() => this.child.exitCode !== null || this.child.signalCode !== null, {
      what: 'the process ends',
      timeout: 20_000,
    })
    return this.#exited
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGCONT')
    this.child.kill('SIGKILL')
    await this.#exited
  }
}

/** nats-server with the restricted users, the buckets, and a coordinator's hand. */
export class Rig implements AsyncDisposable {
  readonly nats: NatsServer
  readonly bus: Bus
  readonly instances: Bucket<InstanceDocument>
  readonly #assignments: Bucket<z.infer<typeof assignmentDocument>>
  readonly #routes: Bucket<z.infer<typeof routesDocument>>
  /** Fields of a route's spec, by its name. */
  fieldsOf: (name: string) => object = () => ({})
  #revision = 0

  constructor(nats: NatsServer, bus: Bus) {
    this.nats = nats
    this.bus = bus
    this.instances = new Bucket(bus, 'mr_instances', instanceDocument)
    this.#assignments = new Bucket(bus, 'mr_assign', assignmentDocument)
    this.#routes = new Bucket(bus, 'mr_routes', routesDocument)
  }

  static async start({ buckets = bucketNames }: { buckets?: readonly BucketName[] } = {}): Promise<Rig> {
    const others = { 'kafka-ingress': 'iiii', 'mqtt-egress': 'eeee', 'kafka-egress': 'kkkk' }
    const passwords = { ...others, 'mqtt-ingress': 'mmmm', coordinator: 'cccc', cli: 'llll' }
    const nats = await startNats({ users: natsUsers(passwords) })
    const bus = await connectBus({
      url: nats.url,
      user: 'coordinator',
      password: passwords.coordinator,
      name: 'test',
      signal: AbortSignal.timeout(10_000),
    })
    const rig = new Rig(nats, bus)
    for (const bucket of buckets) await makeBucket(rig.bus, bucket, 1)
    return rig
  }

  /** A service on this bus. */
  service(file = './probe.ts', env: Record<string, string> = {}): TestService {
    return new TestService(file, {
      MILLRACE_NATS_URL: this.nats.url,
      MILLRACE_NATS_PASSWORD: 'kkkk',
      MILLRACE_INSTANCE: 'one',
      ...env,
    })
  }

  /** The instance's document. */
  async document(): Promise<InstanceDocument | undefined> {
    return (await this.instances.read('kafka-egress.one'))?.value
  }

  /** Waits until the instance's document is as it should be. */
  async seen(
    what: string,
    check: (document: InstanceDocument) => boolean,
    timeout = 20_000,
  ): Promise<InstanceDocument> {
    const look = async () => {
      const document = await this.document()
      return document !== undefined && check(document) ? document : undefined
    }
    return until(look, { what, timeout })
  }

  /** Routes of these names, all in this version. */
  async routes(version: number, ...names: string[]): Promise<void> {
    const { connections, routes, problems } = readDocuments([{ file: 'test.yaml', text: documents }])
    const route = routes[0]
    if (problems.length > 0 || route === undefined) throw new Error(`bad documents: ${JSON.stringify(problems)}`)
    const spec = storedRoute(route)
    const kept = (name: string) => ({ uid: 'u', version, spec: Object.assign({}, spec, this.fieldsOf(name)) })
    const document = {
      installation: 'test',
      connections: Object.fromEntries(connections.map(connection => [connection.name, storedConnection(connection)])),
      routes: Object.fromEntries(names.map(name => [name, kept(name)])),
    }
    await this.#routes.update('current', document, (await this.#routes.read('current'))?.revision ?? 0)
  }

  /** Tells the instance what to run, under the start id that it has (or another one). */
  async assign(
    actors: ActorAssignment[],
    { term = 1, startId = '' } = {},
  ): Promise<{ term: number; revision: number }> {
    const id = startId || (await this.seen('a heartbeat', ({ state }) => state !== 'stopped')).startId
    const document = { term, startId: id, actors }
    this.#revision = await this.#assignments.update('kafka-egress.one', document, this.#revision)
    return { term, revision: this.#revision }
  }

  /** Asks the instance. */
  ask(request: object): Promise<unknown> {
    return askControl(this.bus, { service: 'kafka-egress', instance: 'one' }, request)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bus[Symbol.asyncDispose]()
    await this.nats[Symbol.asyncDispose]()
  }
}

/** A sink actor of lane 0 of the route. */
export function sink(route: string, epoch: number, more: Partial<ActorAssignment> = {}): ActorAssignment {
  return { id: `sink.${route}.0`, role: 'sink', route, uid: 'u', lane: '0', epoch, version: 1, ...more }
}
