/** The MQTT end of one lane: what the engine delivers becomes PUBLISHes, record by record. */
import type { ActorAssignment } from '@millrace/bus'
import type { ActorContext } from '@millrace/host'
import type { Delivery, Made, Outcome, Problem, Sink } from '@millrace/lane'
import {
  connectToPublish,
  publisherId,
  Publisher,
  Publishing,
  type PublishingAttempt,
  readLogin,
  versionOf,
  writtenHeaders,
} from '@millrace/mqtt'
import { isTemplate, type MqttConnection, resolveCredentials, sinkOf } from '@millrace/routes'
import { Mapper } from './map.ts'

/** What of an actor's context a sink needs. */
export type SinkContext = Pick<
  ActorContext,
  'installation' | 'route' | 'sink' | 'secret' | 'conceal' | 'signal' | 'counts' | 'state' | 'log' | 'fresh' | 'allowed'
> & { settings: Pick<ActorContext['settings'], 'secretsDir'> }

const leftOut: Problem = {
  code: 'headers_left_out',
  message:
    "Headers that MQTT can't carry are left out: not UTF-8, with a control character, or of more than 65,535 bytes.",
}
const noRetain: Problem = {
  code: 'retain_unsupported',
  message: 'The broker keeps no retained messages; they go out without RETAIN.',
}
const qosLowered = (most: number): Problem => ({
  code: 'qos_lowered',
  message: `The broker takes QoS ${most} at most; what asks for more goes out with that.`,
})

/** The MQTT end of one lane. */
export class MqttSink implements Sink {
  readonly #context: SinkContext
  readonly #clientId: string
  readonly #publisher: Publisher
  readonly #mapper: Mapper
  readonly #notices = new Map<string, Problem>()
  #disconnected: Promise<void> = Promise.resolve()
  readonly #version: ReturnType<typeof versionOf>

  /** Throws TypeError where the route's sink is none of MQTT. */
  constructor({ lane }: Pick<ActorAssignment, 'lane'>, context: SinkContext) {
    const { installation, route, fresh, allowed } = context
    const connection = context.sink.mqtt
    if (connection === undefined) throw new TypeError(`Connection ${context.sink.name} is not an MQTT connection.`)
    const sink = sinkOf(route, 'mqtt')
    this.#context = context
    this.#clientId = publisherId({ ...connection, installation, route: route.name, lane })
    this.#mapper = new Mapper({ sink, headers: route.headers })
    this.#version = versionOf(connection)
    this.#publisher = new Publisher({
      version: this.#version,
      onNoSubscribers: sink.onNoSubscribers,
      onExpired: sink.onExpired,
      isFixedTopic: !isTemplate(sink.topic),
      connect: () => this.#connectOnce(connection),
      // Whoever ended a connection may own the lane now.
      mayConnect: async again => (!again && fresh()) || (await allowed()),
    })
  }

  /** What does not stand in the way, but must be known: under the code of the first, in the words of all. */
  get notice(): Problem | undefined {
    const [first, ...others] = this.#notices.values()
    return first && { ...first, message: [first, ...others].map(({ message }) => message).join(' ') }
  }

  /** Connects, which shuts the lane's owner before out (R9); else says why not. */
  async connect(): Promise<Problem | undefined> {
    const result = await this.#publisher.connect()
    if (!(result instanceof Publishing)) return result
    const lost = () => {}
    this.#disconnected = result.closed.then(lost, lost)
    return undefined
  }

  /** Resolves when the connection that `connect` has made or found last has ended. */
  get disconnected(): Promise<void> {
    return this.#disconnected
  }

  /** Whether nothing is to be delivered now. */
  get idle(): boolean {
    return this.#publisher.idle
  }

  async write(delivery: Delivery): Promise<Outcome> {
    const mapper = this.#mapper
    for (let index = 0; delivery.next(); index++) {
      const problem = mapper.read(delivery)
      if (problem !== undefined) this.#publisher.refuse({ index, ...problem })
      else {
        this.#publisher.add(mapper, delivery.view, index)
        delivery.tap?.(() => this.#made())
      }
    }
    return await this.again()
  }

  async again(): Promise<Outcome> {
    const { counts } = this.#context
    const outcome = await this.#publisher.deliver()
    if ('expired' in outcome) counts.expired += outcome.expired ?? 0
    counts.leftOut += this.#mapper.takeLeftOut()
    if (outcome.is === 'done' || outcome.is === 'refused') this.#tellChanged()
    return outcome
  }

  /** Tells, each once, what is not delivered as the route has it. */
  #tellChanged(): void {
    const { counts, state, log } = this.#context
    const { asksRetain, asksQos } = this.#mapper
    const { retain = true, maximumQos = 2 } = this.#publisher.limits ?? {}
    const told = this.#notices.size
    const tell = (problem: Problem) => {
      if (this.#notices.has(problem.code)) return
      this.#notices.set(problem.code, problem)
      log.warn({ code: problem.code }, problem.message)
    }
    if (counts.leftOut > 0) tell(leftOut)
    if (asksRetain && !retain) tell(noRetain)
    if (asksQos > maximumQos) tell(qosLowered(maximumQos))
    if (this.#notices.size > told) state('running', this.notice)
  }

  async close(): Promise<void> {
    await this.#publisher.close()
  }

  /** What the last record became, for who looks in. */
  #made(): Made {
    const { topic, qos, retain, expiresAt, properties } = this.#mapper
    const to = { topic, qos, retain, ...(expiresAt > 0 && { expiresAt }) }
    return { to, headers: this.#version === 5 ? writtenHeaders(properties) : [] }
  }

  async #connectOnce(connection: MqttConnection): Promise<PublishingAttempt> {
    const { sink, secret, conceal, settings, signal } = this.#context
    const credentials = () => resolveCredentials(sink, { secrets: secret, folder: settings.secretsDir, conceal })
    const login = await readLogin(connection, { credentials, clientId: this.#clientId })
    return 'is' in login ? login : await connectToPublish(login, signal)
  }
}
