/** What the tests of mqtt-ingress run against: nats-server, mosquitto, the route's streams, and actors as a host would run them. */
import { Writable } from 'node:stream'
import {
  type ActorAssignment,
  bucketNames,
  type Bus,
  connectBus,
  type LaneName,
  LaneReader,
  makeBucket,
  makeRouteStreams,
  type NatsUserName,
  natsUsers,
  readEnd,
} from '@millrace/bus'
import { type ActorContext, type Counts, newCounts } from '@millrace/host'
import { BatchReader, type Record, recordOf } from '@millrace/record'
import { type Connection, readDocuments, type Route } from '@millrace/routes'
import { Histogram, type Log, openLog, Redactor } from '@millrace/telemetry'
import { eventually, type Mosquitto, type NatsServer, startMosquitto, startNats } from '@millrace/testkit'
import { connectAsync, type IClientPublishOptions, type MqttClient } from 'mqtt'
import { service } from '../src/service.ts'

/** A message to publish: topic, payload, options of MQTT.js. */
export type Message = [topic: string, payload: string | Buffer, options?: IClientPublishOptions]

/** How a slot is run, and what its route's source says. */
type RunOptions = Partial<Route['source']> & { retire?: boolean; discard?: boolean }

/** What a run of an actor told, and how to end it. */
export class Run {
  readonly counts: Counts = newCounts()
  readonly told: string[] = []
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  readonly #draining = new AbortController()
  /** How often `allowed` was asked, and what it answers. */
  asked = 0
  allowed = true

  constructor(rig: Rig, actor: ActorAssignment, source: Partial<Route['source']>) {
    const { route, connections } = rig.documents(source)
    const [plant, lake] = connections
    if (plant === undefined || lake === undefined) throw new Error('no connections')
    const context: ActorContext = {
      installation: 'test',
      route,
      source: plant,
      sink: lake,
      settings: rig.settings,
      bus: rig.bus,
      counts: this.counts,
      latency: new Histogram(),
      log: rig.log.logger,
      signal: this.#abort.signal,
      draining: this.#draining.signal,
      state: (state, problem) => this.told.push([state, problem?.code].filter(Boolean).join(' ')),
      fresh: () => true,
      allowed: async () => {
        this.asked++
        return this.allowed
      },
      secret: () => Promise.reject(new Error('no secrets here')),
      lanes: () => {},
      tap: () => {},
    }
    this.ended = service.start(actor, context)
    // Whoever looks at it sees the error.
    this.ended.catch(() => {})
  }

  /** Waits until it has told this last. */
  async is(state: string): Promise<void> {
    await eventually(() => this.told.at(-1) === state, { what: `${state} (${this.told.join(', ')})` })
  }

  async drain(): Promise<void> {
    this.#draining.abort()
    await this.ended
  }

  /** As a lease that ends would: nothing more may be sent. */
  async abort(): Promise<void> {
    this.#abort.abort()
    await this.ended.catch(() => {})
  }
}

export const passwords = {
  'mqtt-ingress': 'one',
  'kafka-ingress': 'two',
  'mqtt-egress': 'three',
  'kafka-egress': 'four',
  coordinator: 'five',
  cli: 'six',
}
const uid = 'u'
const laneName: LaneName = { service: 'mqtt-ingress', route: 'r', lane: '0' }

/** The servers, and one route with one slot. */
export class Rig implements AsyncDisposable {
  readonly nats: NatsServer
  readonly broker: Mosquitto
  /** The connection of the actors, with the rights of mqtt-ingress and no more. */
  readonly bus: Bus
  /** The connection that looks at what they wrote. */
  readonly reader: Bus
  readonly coordinator: Bus
  readonly log: Log
  /** Where actors find the broker. */
  brokerUrl: string
  /** What they speak. */
  brokerVersion: 5 | '3.1.1' = 5
  #epoch = 0
  #publisher: MqttClient | undefined
  readonly #runs: Run[] = []
  readonly #stop: AbortController

  constructor(nats: NatsServer, broker: Mosquitto, [bus, reader, coordinator]: [Bus, Bus, Bus], stop: AbortController) {
    this.nats = nats
    this.broker = broker
    this.bus = bus
    this.reader = reader
    this.coordinator = coordinator
    this.brokerUrl = broker.url
    this.#stop = stop
    const stream = new Writable({ write: (_, __, done) => done() })
    this.log = openLog({ level: 'info', base: {}, redactor: new Redactor(), stream })
  }

  static async start(): Promise<Rig> {
    const [nats, broker] = await Promise.all([startNats({ users: natsUsers(passwords) }), startMosquitto()])
    const stop = new AbortController()
    const as = (user: NatsUserName) =>
      connectBus({ url: nats.url, user, password: passwords[user], name: 'test', signal: stop.signal })
    const buses = await Promise.all([as('mqtt-ingress'), as('kafka-egress'), as('coordinator')])
    const [, , coordinator] = buses
    for (const bucket of bucketNames) await makeBucket(coordinator, bucket, 1)
    const limits = { maxBytes: 256 * 2 ** 20, deadLetters: { maxBytes: 64 * 2 ** 20 }, replicas: 1 }
    await makeRouteStreams(coordinator, { route: laneName.route, uid, ...limits })
    return new Rig(nats, broker, buses, stop)
  }

  get settings(): ActorContext['settings'] {
    const pages = { httpHost: '127.0.0.1', httpPort: 0 }
    return { natsUrl: this.nats.url, instance: 'one', secretsDir: '/nowhere', logLevel: 'info', ...pages }
  }

  /** The route and its connections, with another source where a test wants one. */
  documents(source: object): { route: Route; connections: Connection[] } {
    const spec = {
      source: { connection: 'plant', topics: ['t/#'], ...source },
      sink: { connection: 'lake', topic: 'x' },
    }
    const documents = [
      ['Connection', 'plant', { mqtt: { url: this.brokerUrl, version: this.brokerVersion, keepAlive: '1s' } }],
      ['Connection', 'lake', { kafka: { brokers: ['127.0.0.1:9092'] } }],
      ['Route', laneName.route, spec],
    ].map(([kind, name, spec]) => JSON.stringify({ apiVersion: 'millrace.dev/v1', kind, metadata: { name }, spec }))
    const text = documents.join('\n---\n')
    const { routes, connections, problems } = readDocuments([{ file: 'test.yaml', text }])
    const [route] = routes
    const errors = problems.filter(({ severity }) => severity === 'error')
    if (route === undefined || errors.length > 0) throw new Error(JSON.stringify(errors))
    return { route, connections }
  }

  /** The slot's actor with a new epoch. */
  actor(ends: Pick<ActorAssignment, 'retire' | 'discard'> = {}): ActorAssignment {
    const { route, lane } = laneName
    return {
      id: `source.${route}.${lane}`,
      role: 'source',
      route,
      lane,
      uid,
      epoch: ++this.#epoch,
      version: 1,
      ...ends,
    }
  }

  /** Starts the slot's actor. */
  run({ retire = false, discard = false, ...source }: RunOptions = {}): Run {
    const run = new Run(this, this.actor({ retire, discard }), source)
    this.#runs.push(run)
    return run
  }

  /** Publishes with MQTT.js; resolves when the broker has acknowledged every message. */
  async publish(...messages: Message[]): Promise<void> {
    this.#publisher ??= await connectAsync(this.broker.url, { protocolVersion: 5 })
    const publisher = this.#publisher
    // A few at a time: MQTT.js waits for its socket once a message.
    for (let from = 0; from < messages.length; from += 500) {
      const some = messages.slice(from, from + 500)
      await Promise.all(
        some.map(([topic, payload, more]) => publisher.publishAsync(topic, payload, { qos: 1, ...more })),
      )
    }
  }

  /** Every record that the lane holds now. */
  async records(): Promise<Record[]> {
    const end = await readEnd(this.reader, laneName)
    const total = end === undefined ? 0 : end.base + end.count
    const stop = new AbortController()
    const reader = new LaneReader({
      bus: this.reader,
      lane: laneName,
      uid,
      after: { sequence: 0 },
      base: 0,
      signal: stop.signal,
    })
    const batches = new BatchReader({ maxBytes: 2 ** 30 })
    const records: Record[] = []
    while (records.length < total) {
      const batch = await eventually(() => reader.take(), { what: 'a batch', interval: 1 })
      if (batch === undefined || batch.count === 0) continue
      batches.open(batch.payload)
      while (batches.next()) records.push(recordOf(batches.view))
    }
    stop.abort()
    return records
  }

  async values(): Promise<string[]> {
    return (await this.records()).map(({ value }) => String(value))
  }

  /** The lane's last position. */
  async position(): Promise<unknown> {
    return JSON.parse((await readEnd(this.reader, laneName))?.position ?? 'null')
  }

  /** Waits until the lane holds so many records. */
  async stored(count: number): Promise<void> {
    await eventually(
      async () => {
        const end = await readEnd(this.reader, laneName)
        return end !== undefined && end.base + end.count >= count
      },
      { what: `${count} records stored`, timeout: 20_000 },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runs.map(run => run.abort()))
    await this.#publisher?.endAsync(true)
    this.#stop.abort()
    await Promise.all([this.bus, this.reader, this.coordinator].map(bus => bus[Symbol.asyncDispose]()))
    await Promise.all([this.nats[Symbol.asyncDispose](), this.broker[Symbol.asyncDispose]()])
  }
}
