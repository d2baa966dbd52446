/** Routes from Kafka to a broker, their lanes written by the test in Kafka's stead, and who subscribes at the other end. */
import {
  type ActorAssignment,
  Bucket,
  type LaneAppender,
  type LaneName,
  openLane,
  positionKey,
  routesDocument,
} from '@millrace/bus'
import { BatchBuilder, type Record, viewOf } from '@millrace/record'
import { type Connection, readDocuments, type Route, storedConnection, storedRoute } from '@millrace/routes'
import { Instance, type Installation } from '@millrace/testkit'
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt'

const main = new URL('../src/main.ts', import.meta.url)

/** What a test says of its routes. */
export interface Wish {
  brokerUrl: string
  /** Route name to the flow-style YAML of its `sink`, without its connection. */
  sinks: { [route: string]: string }
  /** MQTT 5 unless said. */
  version?: '3.1.1'
  /** More fields of all routes' `spec`, flow style. */
  more?: string
}

/** The documents that a user would write. */
export function documents({ brokerUrl, version, sinks, more = '' }: Wish): {
  routes: Route[]
  connections: Connection[]
} {
  const routes = Object.entries(sinks).map(
    ([name, sink]) => `---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec: { source: { connection: lake, topics: [in] }, sink: { connection: plant, ${sink} } ${more} }
`,
  )
  const text = `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec: { mqtt: { url: "${brokerUrl}", version: ${version ?? 5}, keepAlive: 5s } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec: { kafka: { brokers: ["127.0.0.1:9092"] } }
${routes.join('')}`
  const read = readDocuments([{ file: 'test.yaml', text }])
  if (read.routes.length < routes.length) throw new Error(`bad documents: ${JSON.stringify(read.problems)}`)
  return read
}

/** Makes routes, as the coordinator does when a user applies them. */
export async function applyRoutes(installation: Installation, wish: Wish): Promise<void> {
  const { connections, routes } = documents(wish)
  const document = {
    installation: 'test',
    connections: Object.fromEntries(connections.map(one => [one.name, storedConnection(one)])),
    routes: Object.fromEntries(
      routes.map(route => [route.name, { uid: route.name.toUpperCase(), version: 1, spec: storedRoute(route) }]),
    ),
  }
  await new Bucket(installation.coordinator, 'mr_routes', routesDocument).create('current', document)
  for (const { name } of routes) {
    const { uid } = await installation.route(name)
    const position = { uid, sequence: 0, epoch: 0, totals: { out: 0, dead: 0, filtered: 0, parked: 0 } }
    await installation.positions().create(positionKey({ ...laneOf(name), service: 'mqtt-egress' }), position)
  }
}

/** The lane of a route that tests write: a Kafka partition's. */
export const laneOf = (route: string): LaneName => ({ service: 'kafka-ingress', route, lane: 'in/0' })

/** What a coordinator assigns for it. */
export const actorOf = (route: string, epoch: number): ActorAssignment => ({
  id: `sink.${route}.in/0`,
  role: 'sink',
  route,
  uid: route.toUpperCase(),
  lane: 'in/0',
  epoch,
  version: 1,
})

export const instanceOf = (installation: Installation, name: string): Instance =>
  new Instance({ installation, service: 'mqtt-egress', main, name })

/** The source's end of a lane. */
export class Source {
  readonly #appender: LaneAppender

  private constructor(appender: LaneAppender) {
    this.#appender = appender
  }

  static async open(installation: Installation, route: string): Promise<Source> {
    const bus = await installation.connect('kafka-ingress')
    const { signal } = installation
    const source = JSON.stringify({ topic: 'in', partition: 0 })
    const place = { lane: laneOf(route), uid: route.toUpperCase(), epoch: 1, source }
    return new Source(await openLane({ bus, ...place, signal, start: () => '', tell() {} }))
  }

  /** Appends one batch; the key of a value is what is before its colon. */
  async append(values: readonly (string | Partial<Record>)[]): Promise<void> {
    const builder = new BatchBuilder()
    for (const value of values) {
      const text =
        typeof value === 'string' ? { key: Buffer.from(value.split(':')[0] ?? ''), value: Buffer.from(value) } : value
      builder.add(viewOf({ timestamp: 1_700_000_000_000, key: null, value: null, headers: [], ...text }))
    }
    await this.#appender.append({ payload: builder.finish(), count: values.length, position: 'p' })
  }
}

/** A subscriber of MQTT.js with a session that outlives its connections, and what it got. */
export class Subscriber implements AsyncDisposable {
  readonly packets: IPublishPacket[] = []
  readonly #client: MqttClient

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (_topic, _payload, packet) => this.packets.push(packet))
  }

  static async open(url: string, ...filters: string[]): Promise<Subscriber> {
    const properties = { receiveMaximum: 65_535, sessionExpiryInterval: 600 }
    const client = await connectAsync(url, {
      protocolVersion: 5,
      clean: false,
      clientId: `s-${filters.join()}`,
      properties,
    })
    const subscriber = new Subscriber(client)
    await client.subscribeAsync(filters, { qos: 2 })
    return subscriber
  }

  get values(): string[] {
    return this.packets.map(({ payload }) => payload.toString())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true)
  }
}
