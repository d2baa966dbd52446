/** What the tests with a real nats-server share: its restricted users, coordinators, instances, and what must always hold. */
import { randomUUID } from 'node:crypto'
import {
  askControl,
  type AssignmentDocument,
  assignmentDocument,
  Bucket,
  type Bus,
  connectBus,
  type LeaderDocument,
  leaderDocument,
  natsUserNames,
  natsUsers,
  type RoutesDocument,
  routesDocument,
} from '@millrace/bus'
import { eventually, type NatsServer, startNats } from '@millrace/testkit'
import { z } from 'zod'
import { CoordinatorProcess } from './coordinator-process.ts'
import { FakeInstance, type Step } from './fake-instance.ts'

const passwords = {
  'mqtt-ingress': 'a',
  'kafka-ingress': 'b',
  'mqtt-egress': 'c',
  'kafka-egress': 'd',
  coordinator: 'e',
  cli: 'f',
}

const answer = z.looseObject({
  ok: z.boolean(),
  problem: z.object({ code: z.string(), message: z.string() }).optional(),
})

/** What a coordinator answered. */
export type Answer = z.infer<typeof answer>

/** The connections that every test's routes use. */
export const connections = {
  plant: { mqtt: { url: 'mqtt://127.0.0.1:1883' } },
  lake: { kafka: { brokers: ['127.0.0.1:9092'] } },
}

/** A route of so many lanes. */
export function route(subscribers: number, maxBytes = '16MiB'): object {
  return {
    source: { connection: 'plant', topics: ['a/#'], subscribers },
    sink: { connection: 'lake', topic: 't' },
    buffer: { maxBytes },
    deadLetters: { maxBytes: '1MiB' },
  }
}

/** A route that reads Kafka topics, and writes to Kafka. */
export function listedRoute(...topics: string[]): object {
  return { ...route(1), source: { connection: 'lake', topics }, sink: { connection: 'lake', topic: 'copy' } }
}

/** One test's world. */
export class Rig implements AsyncDisposable {
  readonly nats: NatsServer
  readonly #buses: ReadonlyMap<string, Bus>
  readonly #coordinators: CoordinatorProcess[] = []
  readonly instances: FakeInstance[] = []
  readonly #steps: Step[] = []
  readonly #documents: { key: string; document: AssignmentDocument }[] = []
  readonly #watching = new AbortController()

  private constructor(nats: NatsServer, buses: ReadonlyMap<string, Bus>) {
    this.nats = nats
    this.#buses = buses
  }

  static async open(maxFileStore = '500MB'): Promise<Rig> {
    const nats = await startNats({ users: natsUsers(passwords), maxFileStore })
    const signal = AbortSignal.timeout(10_000)
    const connecting = natsUserNames.map(async user => {
      const bus = await connectBus({ url: nats.url, user, password: passwords[user], name: 'test', signal })
      return [user, bus] as const
    })
    return new Rig(nats, new Map(await Promise.all(connecting)))
  }

  bus(user: (typeof natsUserNames)[number]): Bus {
    const bus = this.#buses.get(user)
    if (bus === undefined) throw new Error(`There is no ${user}.`)
    return bus
  }

  /** Starts a coordinator; the first one is waited for until it leads. */
  async coordinator(name: string, settings: Record<string, string> = {}): Promise<CoordinatorProcess> {
    const started = new CoordinatorProcess({
      MILLRACE_INSTANCE: name,
      MILLRACE_NATS_URL: this.nats.url,
      MILLRACE_NATS_PASSWORD: passwords.coordinator,
      MILLRACE_NATS_MONITOR_URL: this.nats.monitorUrl,
      MILLRACE_INSTALLATION: 'test',
      ...settings,
    })
    this.#coordinators.push(started)
    if (this.#coordinators.length === 1) {
      await this.leader(name)
      void new Bucket(this.bus('cli'), 'mr_assign', assignmentDocument).watch('>', this.#watching.signal, {
        changed: ({ key, value }) => {
          if (value !== undefined) this.#documents.push({ key, document: value })
        },
      })
    }
    return started
  }

  instance(service: Exclude<(typeof natsUserNames)[number], 'coordinator' | 'cli'>, name: string): FakeInstance {
    const started = new FakeInstance({
      bus: this.bus(service),
      service,
      name,
      startId: randomUUID(),
      steps: this.#steps,
    })
    this.instances.push(started)
    return started
  }

  /** Waits until this coordinator leads; any one, where none is named. */
  async leader(name?: string, timeout = 30_000): Promise<LeaderDocument> {
    const bucket = new Bucket(this.bus('cli'), 'mr_leader', leaderDocument)
    let found: LeaderDocument | undefined
    const look = async () => {
      found = (await bucket.read('leader'))?.value
      return found !== undefined && found.released !== true && (name === undefined || found.instance === name)
    }
    await eventually(look, { what: `${name ?? 'a coordinator'} leads`, timeout })
    if (found === undefined) throw new Error('Nobody leads.')
    return found
  }

  /** Asks whoever leads, as the command line does. */
  async ask(request: object): Promise<Answer> {
    let said: Answer | undefined
    const look = async () => {
      const { instance } = await this.leader()
      said = answer.parse(await askControl(this.bus('cli'), { service: 'coordinator', instance }, request))
      return said.problem?.code !== 'not_leader'
    }
    await eventually(look, { what: 'an answer', timeout: 20_000, interval: 100 })
    if (said === undefined) throw new Error('Nobody answered.')
    return said
  }

  apply(routes: Record<string, object>): Promise<Answer> {
    return this.ask({ op: 'apply', connections, routes })
  }

  async routes(): Promise<RoutesDocument | undefined> {
    return (await new Bucket(this.bus('cli'), 'mr_routes', routesDocument).read('current'))?.value
  }

  /** Waits until so many actors run in all instances of a service. */
  async placed(service: string, actors: number, timeout = 30_000): Promise<void> {
    const running = () =>
      this.instances.filter(it => it.key.startsWith(service)).reduce((sum, it) => sum + it.running.size, 0)
    await eventually(() => running() === actors, { what: `${actors} actors of ${service} run`, timeout })
  }

  /** How many actors were started by now. */
  get starts(): number {
    return this.#steps.filter(({ is }) => is === 'starts').length
  }

  /** Throws where an actor had two owners, where an epoch did not grow, or a term went back. */
  check(): void {
    const owners = new Map<string, string>()
    const epochs = new Map<string, number>()
    for (const { id, key, epoch, is } of this.#steps) {
      if (is === 'ends') {
        owners.delete(id)
        continue
      }
      if (owners.has(id)) throw new Error(`${id} runs in ${owners.get(id)} and in ${key}.`)
      if (epoch <= (epochs.get(id) ?? 0)) throw new Error(`The epoch of ${id} went from ${epochs.get(id)} to ${epoch}.`)
      owners.set(id, key)
      epochs.set(id, epoch)
    }
    const terms = new Map<string, number>()
    for (const { key, document } of this.#documents) {
      if (document.term < (terms.get(key) ?? 0)) throw new Error(`The term of ${key} went back to ${document.term}.`)
      terms.set(key, document.term)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort()
    for (const instance of this.instances) instance.kill()
    for (const coordinator of this.#coordinators) await coordinator[Symbol.asyncDispose]()
    for (const bus of this.#buses.values()) await bus[Symbol.asyncDispose]()
    await this.nats[Symbol.asyncDispose]()
  }
}
