/** Routes from Kafka to a broker, their lanes written by the test in Kafka's stead, and who subscribes at the other end. */
import { type ActorAssignment, Bucket, positionKey, routesDocument } from '@millrace/bus'
import {
  type Documents,
  documentsFrom,
  type Installation,
  Instance,
  LaneSource,
  storedDocuments,
} from '@millrace/testkit'
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt'

const main = new URL('../src/main.ts', import.meta.url)

/** What a test says of its routes. */
export interface Wish {
  brokerUrl: string
  /** Route name to the flow-style YAML of its `sink`, without its connection. */
  sinks: { [route: string]: string }
  /** MQTT 5 unless said. */
  version?: 5 | '3.1.1'
  /** More fields of all routes' `spec`, flow style. */
  more?: string
}

/** The documents that a user would write. */
function documents({ brokerUrl, version = 5, sinks, more = '' }: Wish): Documents {
  return documentsFrom(
    ['Connection', 'plant', { mqtt: { url: brokerUrl, version, keepAlive: '5s' } }],
    ['Connection', 'lake', { kafka: { brokers: ['127.0.0.1:9092'] } }],
    ...Object.entries(sinks).map(([name, sink]): ['Route', string, string] => {
      const ends = `source: { connection: lake, topics: [in] }, sink: { connection: plant, ${sink} }`
      return ['Route', name, `{ ${ends} ${more} }`]
    }),
  )
}

/** Makes routes, as the coordinator does when a user applies them. */
export async function applyRoutes(installation: Installation, wish: Wish): Promise<void> {
  const wished = documents(wish)
  await new Bucket(installation.coordinator, 'mr_routes', routesDocument).create('current', storedDocuments(wished))
  for (const { name } of wished.routes) {
    const { uid } = await installation.route(name)
    const position = { uid, sequence: 0, epoch: 0, totals: { out: 0, dead: 0, filtered: 0, parked: 0 } }
    await installation.positions().create(positionKey({ ...laneOf(name), service: 'mqtt-egress' }), position)
  }
}

/** The lane of a route that tests write: a Kafka partition's. */
export const laneOf = (route: string) => ({ service: 'kafka-ingress', route, lane: 'in/0' }) as const

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

/** Opens a route's lane in its source's stead. */
export const openSource = (installation: Installation, route: string): Promise<LaneSource> =>
  LaneSource.open(installation, laneOf(route), { topic: 'in', partition: 0 })

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
