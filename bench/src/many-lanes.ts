/** Millrace with many lanes from Kafka to Kafka, on servers of its own, and what can be seen of it from outside. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  askControl,
  assignmentDocument,
  Bucket,
  type Bus,
  connectBus,
  type InstanceDocument,
  instanceDocument,
  natsUsers,
} from '@millrace/bus'
import { applyDocuments, type FleetOptions, newPasswords, startFleet } from '@millrace/local/fleet'
import { eventually, type NatsServer, startNats } from '@millrace/testkit'
import { cpuSeconds, memoryMb } from './cpu.ts'
import type { Place } from './place.ts'

/** How many of what. */
export interface Size {
  routes: number
  /** Partitions of each route's topic. */
  lanes: number
  instances: number
}

type Processes = Awaited<ReturnType<typeof startFleet>>

/** As long as anything may take that is waited for. */
const patience = 600_000
/** What all routes' lanes together may hold, in MiB. */
const buffers = 4_096

/** Starts everything and makes the topics; no route is applied yet. */
export async function startManyLanes(place: Place, size: Size): Promise<ManyLanes> {
  const stack = new AsyncDisposableStack()
  const passwords = newPasswords()
  const nats = stack.use(await startNats({ users: natsUsers(passwords) }))
  const folder = path.join(place.folder, 'lanes')
  await mkdir(folder, { recursive: true })
  for (const { from, to } of topicsOf(size)) {
    await place.kafka.createTopic(from, size.lanes)
    await place.kafka.createTopic(to, size.lanes)
  }
  const tell = (line: string) => void process.stderr.write(`${line}\n`)
  const fleet: FleetOptions = { natsUrl: nats.url, natsMonitorUrl: nats.monitorUrl, passwords, folder, tell }
  const services = { 'kafka-ingress': size.instances, 'kafka-egress': size.instances }
  const processes = await startFleet({ coordinator: 1, ...services }, fleet)
  stack.defer(async () => void (await Promise.all(processes.map(process => process.stop()))))
  const signal = AbortSignal.timeout(patience)
  const bus = await connectBus({ url: nats.url, user: 'cli', password: passwords.cli, name: 'bench', signal })
  stack.use(bus)
  return new ManyLanes(size, { place, nats, fleet, processes, bus, stack })
}

interface Parts {
  place: Place
  nats: NatsServer
  fleet: FleetOptions
  processes: Processes
  bus: Bus
  stack: AsyncDisposableStack
}

/** It, running. */
export class ManyLanes implements AsyncDisposable {
  /** Bytes of the largest documents that were seen. */
  readonly largest = { heartbeat: 0, assignment: 0 }
  readonly #size: Size
  readonly #parts: Parts
  readonly #killed = new Set<string>()

  constructor(size: Size, parts: Parts) {
    this.#size = size
    this.#parts = parts
  }

  /** The topics that are read, one a route. */
  get sources(): string[] {
    return topicsOf(this.#size).map(({ from }) => from)
  }

  /** Applies the routes; resolves when all of their lanes run on both sides. */
  async apply(): Promise<void> {
    const { place, fleet } = this.#parts
    const file = path.join(fleet.folder, 'lanes.yaml')
    await writeFile(file, documents(place.kafka.port, this.#size))
    await applyDocuments(file, fleet, AbortSignal.timeout(patience))
    await this.#allRun()
    for (const { value } of (await this.#assignments()).values()) {
      this.largest.assignment = Math.max(this.largest.assignment, JSON.stringify(value).length)
    }
  }

  /** Drains every source. */
  async pause(): Promise<void> {
    await this.#control('pause')
    const paused = async () => (await this.#sources()).every(({ state }) => state === 'holding')
    await eventually(paused, { what: 'every source is paused', timeout: patience })
  }

  /** Lets the sources go on; resolves when so many records more have arrived. */
  async drain(records: number): Promise<void> {
    const wanted = (await this.#arrived()) + records
    await this.#control('resume')
    await eventually(async () => (await this.#arrived()) >= wanted, { what: 'all has arrived', timeout: patience })
  }

  /** Kills one instance on each side, for good; resolves when all lanes run at the others. */
  async killOne(): Promise<void> {
    for (const victim of this.#parts.processes.filter(({ name }) => name !== 'coordinator-1' && name.endsWith('-1'))) {
      this.#killed.add(victim.name.replace(/-1$/, '.1'))
      process.kill(victim.pid, 'SIGKILL')
      void victim.stop()
    }
    await this.#allRun()
  }

  /** CPU seconds of each process so far. */
  cpu(): Record<string, number> {
    return Object.fromEntries(this.#pids().map(([name, pid]) => [name, cpuSeconds(pid)]))
  }

  /** The most memory that each process had. */
  peakMb(): Record<string, number> {
    return Object.fromEntries(this.#pids().map(([name, pid]) => [name, memoryMb(pid).peak]))
  }

  /** What nats-server has counted so far. */
  async traffic(): Promise<Record<string, number>> {
    const url = this.#parts.nats.monitorUrl
    const { in_msgs: messages, in_bytes: bytes } = (await page(`${url}/varz`)) as { in_msgs: number; in_bytes: number }
    const { api } = (await page(`${url}/jsz`)) as { api: { total: number } }
    return { messages, bytes, 'JetStream calls': api.total }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.stack.disposeAsync()
  }

  #pids(): [string, number][] {
    const { processes, nats, place } = this.#parts
    const services = processes.filter(({ name }) => !this.#killed.has(name.replace(/-(?=\d+$)/, '.')))
    return [...services, { name: 'nats', pid: nats.pid }, { name: 'kafka', pid: place.kafka.pid }].map(
      ({ name, pid }) => [name, pid],
    )
  }

  async #heartbeats(): Promise<[string, InstanceDocument][]> {
    const entries = await new Bucket(this.#parts.bus, 'mr_instances', instanceDocument).list()
    return [...entries.values()].filter(({ key }) => !this.#killed.has(key)).map(({ key, value }) => [key, value])
  }

  #assignments() {
    return new Bucket(this.#parts.bus, 'mr_assign', assignmentDocument).list()
  }

  async #sources() {
    const all = (await this.#heartbeats()).flatMap(([, { actors }]) => actors)
    return all.filter(({ id }) => id.startsWith('source.'))
  }

  async #allRun(): Promise<void> {
    const { routes, lanes } = this.#size
    const wanted = 2 * routes * lanes
    const run = async () => {
      let running = 0
      for (const [, heartbeat] of await this.#heartbeats()) {
        this.largest.heartbeat = Math.max(this.largest.heartbeat, JSON.stringify(heartbeat).length)
        running += heartbeat.actors.filter(({ id, state }) => !id.startsWith('lister.') && isLane(id, state)).length
      }
      return running >= wanted
    }
    await eventually(run, { what: 'all lanes run', timeout: patience })
  }

  async #control(op: string): Promise<void> {
    for (let instance = 1; instance <= this.#size.instances; instance++) {
      await askControl(
        this.#parts.bus,
        { service: 'kafka-ingress', instance: String(instance), timeout: 10_000 },
        { op },
      )
    }
  }

  async #arrived(): Promise<number> {
    const counts = await Promise.all(topicsOf(this.#size).map(({ to }) => this.#parts.place.countOf(to)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

async function page(url: string): Promise<unknown> {
  return (await fetch(url)).json()
}

/** Whether an actor is one of a lane, and at work. */
function isLane(id: string, state: string): boolean {
  return /^(source|sink)\./.test(id) && state === 'running'
}

function topicsOf({ routes }: Size): { route: string; from: string; to: string }[] {
  return Array.from({ length: routes }, (_, index) => ({
    route: `lanes-${index}`,
    from: `lanes-from-${index}`,
    to: `lanes-to-${index}`,
  }))
}

function documents(kafkaPort: number, size: Size): string {
  const connection = `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: kafka }
spec: { kafka: { brokers: ['127.0.0.1:${kafkaPort}'] } }
`
  const maxBytes = `${Math.floor(buffers / size.routes)}MiB`
  const routes = topicsOf(size).map(
    ({ route, from, to }) => `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${route} }
spec:
  source: { connection: kafka, topics: [${from}], start: earliest }
  sink: { connection: kafka, topic: ${to}, partition: '\${source.partition}' }
  buffer: { maxBytes: ${maxBytes} }
  deadLetters: { maxBytes: 1MiB }
`,
  )
  return [connection, ...routes].join('---')
}
