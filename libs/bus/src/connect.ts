/**
 * The connection to NATS: made once by a process, kept for ever (R10). It reconnects by itself; who has something
 * under way is told at once when the connection breaks, instead of waiting for a timeout, and when it is back.
 */
import { aborted, backoff, delay } from '@millrace/actor'
import {
  jetstream,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream'
import { createInbox, type NatsConnection, PermissionViolationError, type Status } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { tlsOptions } from './authority.ts'
import type { UserName } from './users.ts'
import { PermissionError, type Problem, StoppedError, UnknownOutcomeError } from './errors.ts'
import { Gate } from './gate.ts'
import { inboxPrefix } from './names.ts'

/** How to reach NATS, and as whom. */
export interface BusOptions {
  /** One URL, or several separated by commas. */
  url: string
  /** CA certificates (a PEM file) that NATS's own must be signed by; absent: those that Node trusts. */
  caFile?: string
  /** Whose permissions and inbox these are. */
  user: UserName
  /** Absent where the server asks for none. The user's name at NATS is `user`. */
  password?: string
  /** Shown in nats-server's reports of its connections. */
  name: string
  /** Gives up the first attempt to connect. */
  signal: AbortSignal
  /** Told why there is no connection while there is none (undefined: there is one). */
  tell?: (problem: Problem | undefined) => void
}

/** What happens to the connection. `refused`: the server denied this user a subject. */
export type BusEvent = { is: 'connected' } | { is: 'disconnected' } | { is: 'refused'; error: PermissionError }

/** Connects, for as long as it takes: only the signal ends it (StoppedError). */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const wait = backoff({ cap: 1_000 })
  while (!options.signal.aborted) {
    try {
      const nc = await connect(connection(options))
      options.tell?.(undefined)
      return new Bus(nc, await jetstreamManager(nc, { checkAPI: false }), options)
    } catch (error) {
      options.tell?.(unreachable(options, reason(error)))
    }
    await delay(wait.next(), options.signal)
  }
  throw new StoppedError('Stopped before NATS was reached.')
}

function connection({ url, caFile, user, password, name }: BusOptions) {
  const servers = url.split(',').map(server => server.trim())
  const tls = tlsOptions(servers, caFile)
  return {
    servers,
    ...(tls && { tls }),
    name,
    inboxPrefix: inboxPrefix(user),
    ...(password === undefined ? {} : { user, pass: password }),
    timeout: 5_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    ignoreAuthErrorAbort: true,
    // A peer that is there and silent is noticed after three of these.
    pingInterval: 2_000,
    noAsyncTraces: true,
  }
}

/** A connection, and what is known of it. */
export class Bus implements AsyncDisposable {
  readonly nc: NatsConnection
  /** JetStream's administration, typed; each call takes only the permissions that it names. */
  readonly jsm: JetStreamManager
  /** Publishing to streams. */
  readonly js: JetStreamClient
  /** For answers of up to a megabyte each: nats-server ends a connection to which it owes 64 MB. */
  readonly largeAnswers = new Gate(16)
  readonly #listeners = new Set<(event: BusEvent) => void>()
  readonly #waiting = new Set<(error: Error) => void>()
  readonly #options: BusOptions
  #connected = true

  constructor(nc: NatsConnection, jsm: JetStreamManager, options: BusOptions) {
    this.nc = nc
    this.jsm = jsm
    this.js = jetstream(nc)
    this.#options = options
    void this.#follow()
  }

  /** Resolves when the connection is closed for good: by disposing of it, or (with the error) by a defect. */
  async closed(): Promise<Error | undefined> {
    return (await this.nc.closed()) ?? undefined
  }

  get connected(): boolean {
    return this.#connected
  }

  /** The largest message, headers and all, that may be published here: the server's limit, and never above 1 MiB. */
  get maxMessage(): number {
    return Math.min(this.nc.info?.max_payload ?? 2 ** 20, 2 ** 20)
  }

  /** A subject for replies that only this user may listen to. */
  newInbox(): string {
    return createInbox(inboxPrefix(this.#options.user))
  }

  /** Calls back at every event until the function that it returns is called. */
  on(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when there is a connection. StoppedError when the signal aborts first. */
  async whenConnected(signal: AbortSignal): Promise<void> {
    if (!this.#connected && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const off = this.on(event => event.is === 'connected' && resolve())
      await Promise.race([promise, aborted(signal)])
      off()
    }
    if (signal.aborted) throw new StoppedError('Stopped.')
  }

  /**
   * Waits for a request to the server. Its refusals (JetStreamApiError) go through as they are; a lost connection,
   * silence, and a server without JetStream are UnknownOutcomeError.
   */
  async call<T>(answer: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    this.#waiting.add(reject)
    try {
      return await Promise.race([answer, promise])
    } catch (error) {
      throw classified(error)
    } finally {
      this.#waiting.delete(reject)
    }
  }

  /** Closes the connection; what is under way ends as unknown. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.nc.close()
  }

  async #follow(): Promise<void> {
    for await (const status of this.nc.status()) this.#happened(status)
    this.#broken()
  }

  #happened(status: Status): void {
    if (status.type === 'disconnect') {
      this.#broken()
      this.#unreachable('the connection broke; trying again until it is back.')
    } else if (status.type === 'reconnect') {
      this.#connected = true
      this.#options.tell?.(undefined)
      // The client throws away what it was given between its attempts to connect, and does not say so.
      this.#lost('There was no connection to NATS.')
      this.#emit({ is: 'connected' })
    } else if (status.type === 'error' && status.error instanceof PermissionViolationError) {
      this.#emit({ is: 'refused', error: refused(status.error) })
    } else if (status.type === 'error' && !this.#connected) {
      this.#unreachable(status.error.message)
    }
  }

  #unreachable(why: string): void {
    this.#options.tell?.(unreachable(this.#options, why))
  }

  #broken(): void {
    this.#connected = false
    this.#lost('The connection to NATS broke.')
    this.#emit({ is: 'disconnected' })
  }

  /** Nobody need wait for an answer any more. */
  #lost(why: string): void {
    for (const reject of this.#waiting) reject(new UnknownOutcomeError(why))
  }

  #emit(event: BusEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

function classified(error: unknown): unknown {
  if (error instanceof JetStreamApiError || error instanceof UnknownOutcomeError) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof PermissionViolationError) return refused(cause)
    if (cause.name === 'InvalidArgumentError' || cause instanceof TypeError) return error
  }
  return new UnknownOutcomeError(`NATS did not answer: ${reason(error)}`, { cause: error })
}

const refused = (error: PermissionViolationError): PermissionError =>
  new PermissionError(error.operation === 'publish' ? 'publish to' : 'subscribe to', error.subject, error)

const unreachable = ({ url }: BusOptions, why: string): Problem => ({
  code: 'nats_unreachable',
  message: `NATS at ${withoutSecrets(url)}: ${why}`,
})

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The URL without a user and password. */
const withoutSecrets = (url: string): string => url.replace(/\/\/[^@,/]*@/g, '//')
