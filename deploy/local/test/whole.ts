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
import { type FleetOptions, newPasswords, type Passwords, startFleet } from '../up/fleet.ts'
import type { Kept } from '../up/keep.ts'
import type { LocalService } from '../up/options.ts'

/** What a test wants. */
export interface WholeOptions {
  instances?: Partial<Record<LocalService, number>>
  /** Of the connection to mosquitto, like `2s`; a slot retires when nothing has come for two of them. */
  keepAlive?: string
  /** Use the mosquitto and the Kafka of this one, with a NATS server of its own. */
  beside?: Pick<Whole, 'mosquitto' | 'kafka'>
  installation?: string
  /** Where its services find their secrets. */
  secretsFolder?: string
  /** Put proxies in front of NATS (`natsProxy`) and Kafka (`kafka.proxied`) as well; only services go through them. */
  proxied?: boolean
}

/** A Millrace that runs, and the handles to hurt it by. */
export interface Whole extends AsyncDisposable {
  nats: NatsServer
  mosquitto: Mosquitto
  /** Between mosquitto and mqtt-ingress. */
  mqttProxy: Proxy
  natsProxy: Proxy | undefined
  kafka: Kafka
  fleet: FleetOptions
  services: Kept[]
  /** As the command line's user. */
  bus: Bus
  /** Stops every service in order; `start` starts as many again. */
  stop(): Promise<void>
  start(): Promise<void>
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
function connections(mqttPort: number, kafkaPort: number, keepAlive: string): string {
  return `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec: { mqtt: { url: 'mqtt://127.0.0.1:${mqttPort}', keepAlive: ${keepAlive} } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec: { kafka: { brokers: ['127.0.0.1:${kafkaPort}'] } }
`
}

/** What differs, as YAML: MQTT's topics, Kafka's, and more fields, for the route itself as lines. */
export interface More {
  topics?: string
  source?: string
  topic?: string
  createTopic?: string
  sink?: string
  route?: string
}

/** A route from every publisher's topic to the Kafka topic of its name, keyed by publisher. */
export function ledgerRoute(name: string, more: More = {}): string {
  const { topics = `${name}/+/n`, source = '', topic = name, createTopic = '', sink = '', route = '' } = more
  return `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { connection: plant, topics: ['${topics}'], qos: 2, ${source} }
  sink:
    { connection: lake, topic: ${topic}, key: '\${source.levels[1]}',
      createTopic: { partitions: ${PARTITIONS}, ${createTopic} }, ${sink} }
  ${route}
`
}

/** Starts everything, and applies the connections `plant` and `lake`. */
export async function startWhole(options: WholeOptions = {}): Promise<Whole> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-whole-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const passwords = newPasswords()
  const { nats, mosquitto, kafka } = await startServers(options, passwords, stack)
  const mqttProxy = stack.use(await startProxy(mosquitto.port))
  const natsProxy = options.proxied ? stack.use(await startProxy(nats.port)) : undefined
  const events: string[] = []
  const fleet: FleetOptions = {
    natsUrl: natsProxy === undefined ? nats.url : `nats://127.0.0.1:${natsProxy.port}`,
    natsMonitorUrl: nats.monitorUrl,
    passwords,
    folder,
    tell: line => void events.push(line),
    ...(options.installation === undefined ? {} : { installation: options.installation }),
    ...(options.secretsFolder === undefined ? {} : { secretsFolder: options.secretsFolder }),
  }
  const services: Kept[] = []
  const instances = { coordinator: 1, 'mqtt-ingress': 1, 'kafka-egress': 1, ...options.instances }
  const start = async () => void services.push(...(await startFleet(instances, fleet)))
  const stop = async () => void (await Promise.all(services.splice(0).map(service => service.stop())))
  stack.defer(stop)
  await start()
  const { signal } = new AbortController()
  const bus = stack.use(await connectBus({ url: nats.url, user: 'cli', password: passwords.cli, name: 'test', signal }))
  const parts = { nats, mosquitto, mqttProxy, natsProxy, kafka, fleet, services, start, stop, bus, events }
  const whole = wholeOf({ ...parts, folder })
  await whole.apply(connections(mqttProxy.port, (kafka.proxied?.proxy ?? kafka).port, options.keepAlive ?? '30s'))
  const kept = stack.move()
  return { ...whole, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** All servers: NATS, and those outside unless they are somebody else's. Where one does not start, the others end. */
async function startServers(
  { beside, proxied = false }: WholeOptions,
  passwords: Passwords,
  stack: AsyncDisposableStack,
) {
  const use = <T extends AsyncDisposable>(server: T) => stack.use(server)
  const starting = [
    startNats({ users: natsUsers(passwords) }).then(use),
    Promise.resolve(beside?.mosquitto ?? startMosquitto().then(use)),
    Promise.resolve(beside?.kafka ?? startKafka({ proxied }).then(use)),
  ] as const
  await Promise.allSettled(starting)
  const [nats, mosquitto, kafka] = await Promise.all(starting)
  return { nats, mosquitto, kafka }
}

type Outside = 'nats' | 'mosquitto' | 'mqttProxy' | 'natsProxy' | 'kafka'
type Made = Outside | 'fleet' | 'services' | 'start' | 'stop' | 'bus' | 'events'

function wholeOf({
  folder,
  ...parts
}: Pick<Whole, Made> & { folder: string }): Omit<Whole, typeof Symbol.asyncDispose> {
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
  }
}
