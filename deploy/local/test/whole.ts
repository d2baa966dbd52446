/** A whole Millrace for a test: real servers on free ports, every service as a process that is kept running, one route. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type ActorReport,
  type Bus,
  Bucket,
  connectBus,
  instanceDocument,
  type InstanceDocument,
  natsUsers,
} from '@millrace/bus'
import {
  eventually,
  type Kafka,
  type Mosquitto,
  type NatsServer,
  type Proxy,
  startKafka,
  startMosquitto,
  startNats,
  startProxy,
} from '@millrace/testkit'
import { applyDocuments } from '../up/apply.ts'
import { type FleetOptions, newPasswords, startFleet } from '../up/fleet.ts'
import type { Kept } from '../up/keep.ts'
import type { LocalService } from '../up/options.ts'

/** What a test wants. */
export interface WholeOptions {
  instances?: Partial<Record<LocalService, number>>
  /** The route's documents; `connections` of the names `plant` and `lake` are there already. */
  route?: string
}

/** A Millrace that runs, and the handles to hurt it by. */
export interface Whole extends AsyncDisposable {
  nats: NatsServer
  mosquitto: Mosquitto
  /** Between mosquitto and mqtt-ingress. */
  mqttProxy: Proxy
  kafka: Kafka
  fleet: FleetOptions
  services: Kept[]
  /** As the command line's user. */
  bus: Bus
  /** What was said of deaths and restarts. */
  events: string[]
  /** The one service instance of this name, e.g. `mqtt-ingress-1`. */
  service(name: string): Kept
  instances(): Promise<Map<string, InstanceDocument>>
  /** The route's actors, but for those that have stopped, as their instances told last. */
  actors(route: string): Promise<PlacedActor[]>
  /** Applies more documents. Returns what the command line said. */
  apply(yaml: string): Promise<string>
  /** Resolves when the route's source and sink both run. */
  untilRunning(route: string): Promise<void>
}

/** An actor, and the key of the instance that runs it, e.g. `mqtt-ingress.1`. */
export type PlacedActor = ActorReport & { instance: string }

const PARTITIONS = 4

/** The connections that every test's route may name. */
function connections(mqttPort: number, kafkaPort: number): string {
  return `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec: { mqtt: { url: 'mqtt://127.0.0.1:${mqttPort}' } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec: { kafka: { brokers: ['127.0.0.1:${kafkaPort}'] } }
`
}

/** More fields of a route, as YAML: for its source, its sink and its topic within braces, for itself as lines. */
export interface More {
  source?: string
  sink?: string
  createTopic?: string
  route?: string
}

/** A route from every publisher's topic to the Kafka topic of its name, keyed by publisher. */
export function ledgerRoute(name: string, { source = '', sink = '', createTopic = '', route = '' }: More = {}): string {
  return `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { connection: plant, topics: ['${name}/+/n'], qos: 2, ${source} }
  sink:
    { connection: lake, topic: ${name}, key: '\${source.levels[1]}',
      createTopic: { partitions: ${PARTITIONS}, ${createTopic} }, ${sink} }
  ${route}
`
}

/** Starts everything, applies the route and waits until it runs. */
export async function startWhole({ instances, route }: WholeOptions = {}): Promise<Whole> {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-whole-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const passwords = newPasswords()
  const [nats, mosquitto, kafka] = await Promise.all([
    startNats({ users: natsUsers(passwords) }),
    startMosquitto(),
    startKafka(),
  ])
  for (const server of [nats, mosquitto, kafka]) stack.use(server)
  const mqttProxy = stack.use(await startProxy(mosquitto.port))
  const events: string[] = []
  const tell = (line: string) => void events.push(line)
  const fleet: FleetOptions = { natsUrl: nats.url, natsMonitorUrl: nats.monitorUrl, passwords, folder, tell }
  const services = await startFleet({ coordinator: 1, 'mqtt-ingress': 1, 'kafka-egress': 1, ...instances }, fleet)
  stack.defer(async () => void (await Promise.all(services.map(service => service.stop()))))
  const signal = new AbortController().signal
  const bus = stack.use(await connectBus({ url: nats.url, user: 'cli', password: passwords.cli, name: 'test', signal }))
  const whole = wholeOf({ nats, mosquitto, mqttProxy, kafka, fleet, services, bus, events, folder, stack })
  await whole.apply(`${connections(mqttProxy.port, kafka.port)}${route === undefined ? '' : `---${route}`}`)
  return whole
}

type Parts = Pick<Whole, 'nats' | 'mosquitto' | 'mqttProxy' | 'kafka' | 'fleet' | 'services' | 'bus' | 'events'>

function wholeOf({ folder, stack, ...parts }: Parts & { folder: string; stack: AsyncDisposableStack }): Whole {
  let applied = 0
  const instances = async () => {
    const entries = await new Bucket(parts.bus, 'mr_instances', instanceDocument).list()
    return new Map([...entries].map(([key, { value }]) => [key, value]))
  }
  const actors = async (route: string) =>
    [...(await instances())].flatMap(([key, { actors }]) =>
      actors
        .filter(({ id, state }) => id.split('.')[1] === route && state !== 'stopped')
        .map(actor => ({ ...actor, instance: key })),
    )
  return {
    ...parts,
    instances,
    actors,
    service: name => {
      const found = parts.services.find(service => service.name === name)
      if (found === undefined) throw new Error(`there is no ${name}`)
      return found
    },
    apply: async yaml => {
      const file = path.join(folder, `apply-${++applied}.yaml`)
      await writeFile(file, yaml)
      return applyDocuments(file, parts.fleet, AbortSignal.timeout(30_000))
    },
    untilRunning: async route => {
      const runs = async () => {
        const running = (await actors(route)).filter(({ state }) => state === 'running')
        return ['source', 'sink'].every(role => running.some(({ id }) => id.startsWith(`${role}.`)))
      }
      await eventually(runs, { what: `route ${route} runs on both sides`, timeout: 30_000 })
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
