/** A NATS installation: a real nats-server with the restricted users, its buckets, and routes as tests want them. */
import type { NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import {
  Bucket,
  bucketNames,
  type Bus,
  connectBus,
  type LaneName,
  makeBucket,
  makeRouteStreams,
  type NatsUserName,
  natsUsers,
  positionDocument,
  positionKey,
} from '@millrace/bus'
import { type NatsOptions, type NatsServer, startNats } from './nats.ts'

/** The password of each user. */
export const passwords = {
  'mqtt-ingress': 'pw-mqtt',
  'kafka-ingress': 'pw-in',
  'mqtt-egress': 'pw-out',
  'kafka-egress': 'pw "kafka"',
  coordinator: 'pw\\c',
  cli: '$pw',
}

/** A running server and connections to it; all of it ends with it. */
export class Installation implements AsyncDisposable {
  readonly nats: NatsServer
  /** The coordinator's connection. */
  readonly coordinator: Bus
  readonly #stop: AbortController
  readonly #buses: Bus[]

  constructor(nats: NatsServer, coordinator: Bus, stop: AbortController) {
    this.nats = nats
    this.coordinator = coordinator
    this.#stop = stop
    this.#buses = [coordinator]
  }

  /** Aborts at the end of the test file. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  async connect(user: NatsUserName, port = this.nats.port): Promise<Bus> {
    const bus = await connectBus(access(user, port, this.signal))
    this.#buses.push(bus)
    return bus
  }

  async makeBuckets(): Promise<void> {
    for (const name of bucketNames) await makeBucket(this.coordinator, name, 1)
  }

  /** A connection that may do everything, which no part of Millrace has. */
  admin(): Promise<NatsConnection> {
    return connect({ port: this.nats.port, ...admin })
  }

  /** A route with its streams, and a lane of it with its position. The uid is the route's name in capitals. */
  async route(name: string, maxBytes = 64 * 2 ** 20): Promise<{ lane: LaneName; sinkLane: LaneName; uid: string }> {
    const uid = name.toUpperCase()
    const deadLetters = { maxBytes: 64 * 2 ** 20 }
    await makeRouteStreams(this.coordinator, { route: name, uid, maxBytes, deadLetters, replicas: 1 })
    const lane = { service: 'mqtt-ingress', route: name, lane: '0' } as const
    const sinkLane = { ...lane, service: 'kafka-egress' } as const
    const position = { uid, sequence: 0, epoch: 0, totals: { out: 0, dead: 0, filtered: 0, parked: 0 } }
    await this.positions().create(positionKey(sinkLane), position)
    return { lane, sinkLane, uid }
  }

  positions() {
    return new Bucket(this.coordinator, 'mr_positions', positionDocument)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const bus of this.#buses) await bus[Symbol.asyncDispose]()
    await this.nats[Symbol.asyncDispose]()
  }
}

const admin = { user: 'admin', pass: 'pw-admin' }

export async function install(options: NatsOptions = {}): Promise<Installation> {
  const users = natsUsers(passwords).replace('users: [', `users: [{ user: ${admin.user}, password: ${admin.pass} }`)
  const nats = await startNats({ users, ...options })
  const stop = new AbortController()
  const coordinator = await connectBus(access('coordinator', nats.port, stop.signal))
  const installation = new Installation(nats, coordinator, stop)
  await installation.makeBuckets()
  return installation
}

const access = (user: NatsUserName, port: number, signal: AbortSignal) => ({
  url: `nats://127.0.0.1:${port}`,
  user,
  password: passwords[user],
  name: `test of ${user}`,
  signal,
})
