/** What the tests of mqtt-ingress run against: nats-server, mosquitto, the route's streams, and actors as a host would run them. */
import { type ActorAssignment, Bucket, type Bus, type LaneName, readEnd, routesDocument } from '@millrace/bus'
import type { Record } from '@millrace/record'
import {
  ActorRun,
  type Documents,
  documentsFrom,
  install,
  type Installation,
  type Mosquitto,
  type NatsServer,
  readLane,
  startMosquitto,
  storedDocuments,
  untilStored,
} from '@millrace/testkit'
import { connectAsync, type IClientPublishOptions, type MqttClient } from 'mqtt'
import { service } from '../src/service.ts'

/** A message to publish: topic, payload, options of MQTT.js. */
export type Message = [topic: string, payload: string | Buffer, options?: IClientPublishOptions]

/** How a slot is run, and what its route's source says. */
interface RunOptions {
  retire?: boolean
  discard?: boolean
  /** Fields of the route's source. */
  [field: string]: unknown
}

const uid = 'R'
const laneName: LaneName = { service: 'mqtt-ingress', route: 'r', lane: '0' }

/** The servers, and one route with one slot. */
export class Rig implements AsyncDisposable {
  readonly installation: Installation
  readonly broker: Mosquitto
  /** The connection of the actors, with the rights of mqtt-ingress and no more. */
  readonly bus: Bus
  /** The connection that looks at what they wrote. */
  readonly reader: Bus
  /** Where actors find the broker. */
  brokerUrl: string
  /** What they speak. */
  brokerVersion: 5 | '3.1.1' = 5
  clientIdPrefix: string | undefined
  #epoch = 0
  #publisher: MqttClient | undefined
  readonly #runs: ActorRun[] = []

  private constructor(installation: Installation, broker: Mosquitto, [bus, reader]: [Bus, Bus]) {
    this.installation = installation
    this.broker = broker
    this.bus = bus
    this.reader = reader
    this.brokerUrl = broker.url
  }

  static async start(): Promise<Rig> {
    const [installation, broker] = await Promise.all([install(), startMosquitto()])
    await installation.route(laneName.route, 256 * 2 ** 20)
    const bus = await installation.connect('mqtt-ingress')
    return new Rig(installation, broker, [bus, await installation.connect('kafka-egress')])
  }

  get nats(): NatsServer {
    return this.installation.nats
  }

  get coordinator(): Bus {
    return this.installation.coordinator
  }

  /** The route and its connections, with another source where a test wants one. */
  documents(source: object): Documents {
    const spec = {
      source: { connection: 'plant', topics: ['t/#'], ...source },
      sink: { connection: 'lake', topic: 'x' },
    }
    const { brokerUrl: url, brokerVersion: version, clientIdPrefix } = this
    return documentsFrom(
      ['Connection', 'plant', { mqtt: { url, version, keepAlive: '1s', ...(clientIdPrefix && { clientIdPrefix }) } }],
      ['Connection', 'lake', { kafka: { brokers: ['127.0.0.1:9092'] } }],
      ['Route', laneName.route, spec],
    )
  }

  /** Keeps the route, as the coordinator does when a user applies it. */
  async keep(): Promise<void> {
    const bucket = new Bucket(this.coordinator, 'mr_routes', routesDocument)
    await bucket.create('current', storedDocuments(this.documents({})))
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
  run({ retire = false, discard = false, ...fields }: RunOptions = {}): ActorRun {
    const { routes, connections } = this.documents(fields)
    const [[route], [source, sink]] = [routes, connections]
    if (route === undefined || source === undefined || sink === undefined)
      throw new Error('no route, or no connections')
    const run = new ActorRun(service, this.actor({ retire, discard }), { bus: this.bus, route, source, sink })
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
    return await readLane(this.reader, laneName, uid)
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
    await untilStored(this.reader, laneName, count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runs.map(run => run.abort()))
    await this.#publisher?.endAsync(true)
    await Promise.all([this.installation, this.broker].map(one => one[Symbol.asyncDispose]()))
  }
}
