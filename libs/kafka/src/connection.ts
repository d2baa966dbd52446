/**
 * One connection to one broker. kafkajs makes it: socket, TLS, SASL (and its renewal), correlation ids, time-outs,
 * throttling. Requests and answers are ours, and what is sent goes to the socket from where it lies.
 *
 *   opening --> open --> closed
 *
 * 1. One connection is one socket: a closed one is never opened again, its owner makes another.
 * 2. A request that was sent and not answered in time closes it: what comes late must not meet a newer request.
 * 3. After `close` nothing is sent any more, and everything that waits is rejected.
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { SecretError } from '@millrace/routes'
import KafkaConnection from 'kafkajs/src/network/connection.js'
import type { Access } from './access.ts'
import { connectError } from './connect-error.ts'
import { KafkaError } from './errors.ts'
import { apiVersions, type BrokerVersions } from './requests/api-versions.ts'
import type { Address } from './requests/metadata.ts'
import type { Api, Request } from './requests/request.ts'
import { Reader, Writer } from './wire.ts'

/** How to reach the brokers of a cluster. */
export interface ConnectionSettings {
  clientId: string
  /** Asked for each connection, because secrets rotate. Rejects with KafkaError or SecretError. */
  access: () => Promise<Access>
  /** Milliseconds for TCP, TLS and SASL together. */
  connectTimeout: number
  /** Milliseconds until a request that was sent counts as lost. */
  requestTimeout: number
  /** A connection that was not used for so many milliseconds is not used again: something may have forgotten it. */
  longestIdle: number
}

const saslAuthenticate = 36
const keepAliveDelay = 60_000
/** Below this, copying a part is cheaper than a write of its own. */
const smallPart = 2048

/** kafkajs' words are not needed: everything it tells comes as an error as well. */
const silent = { namespace: () => silent, debug: ignore, info: ignore, warn: ignore, error: ignore }
function ignore(): void {}

/** A connection that is open and authenticated. */
export class BrokerConnection {
  readonly #connection: KafkaConnection
  readonly #socket: () => Socket | undefined
  readonly #settings: ConnectionSettings
  readonly #access: Access
  readonly #name: string
  #versions: BrokerVersions = {}
  #closed = false
  #usedAt = performance.now()

  private constructor({ host, port }: Address, settings: ConnectionSettings, access: Access) {
    this.#name = `${host}:${port}`
    this.#settings = settings
    this.#access = access
    let socket: Socket | undefined
    this.#socket = () => socket
    this.#connection = new KafkaConnection({
      host,
      port,
      logger: silent,
      clientId: settings.clientId,
      requestTimeout: settings.requestTimeout,
      connectionTimeout: settings.connectTimeout,
      ssl: access.tls,
      sasl: access.sasl,
      socketFactory: ({ onConnect }) => {
        socket = openSocket({ host, port }, access.tls, onConnect)
        return socket
      },
    })
  }

  /** Connects, asks for the versions, authenticates. Throws KafkaError, also when aborted, and leaves nothing open then. */
  static async open(address: Address, settings: ConnectionSettings, signal: AbortSignal): Promise<BrokerConnection> {
    const access = await accessOf(settings)
    const opened = new BrokerConnection(address, settings, access)
    const over = Promise.withResolvers<never>()
    const late = setTimeout(() => over.reject(new Error('it took too long')), settings.connectTimeout)
    const abort = () => over.reject(opened.#closedError())
    signal.addEventListener('abort', abort)
    try {
      signal.throwIfAborted()
      await Promise.race([opened.#open(), over.promise])
      return opened
    } catch (cause) {
      opened.close()
      throw signal.aborted ? opened.#closedError() : connectError(opened.#name, access, cause)
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
    }
  }

  /** Whether requests can still be sent. */
  get open(): boolean {
    return !this.#closed && this.#connection.isConnected()
  }

  /** Whether it was idle for too long to be used again. */
  get stale(): boolean {
    return performance.now() - this.#usedAt > this.#settings.longestIdle
  }

  /**
   * Sends a request and gives its answer. Throws KafkaError: `unsupported_version` and `closed` if nothing was sent,
   * `unknown_outcome` where it was or may have been; after that the connection is closed.
   */
  async send<Answer>(request: Request<Answer>): Promise<Answer> {
    const version = this.versionOf(request.api)
    await this.#authenticated()
    const { payload } = await this.#exchange(request, version, true)
    try {
      const from = new Reader(payload ?? Buffer.alloc(0), { flexible: isFlexible(request.api, version) })
      from.end() // of the header
      return request.decode(from, version)
    } catch (cause) {
      this.close()
      throw new KafkaError('unknown_outcome', `${this.#name} answers ${request.api.name} with what can't be read.`, {
        cause,
      })
    }
  }

  /** Sends a request that has no answer (Produce with acks 0); resolves when the system has taken the bytes. */
  async sendOnly(request: Request<unknown>): Promise<void> {
    const version = this.versionOf(request.api)
    await this.#authenticated()
    await this.#exchange(request, version, false)
  }

  /** The version of an API that is spoken here. Throws KafkaError `unsupported_version` where there is none. */
  versionOf(api: Api): number {
    const { minVersion, maxVersion } = this.#versions[api.key] ?? { minVersion: 0, maxVersion: -1 }
    const version = Math.min(api.most, maxVersion)
    if (version >= Math.max(api.least, minVersion)) return version
    const theirs = maxVersion < 0 ? 'not at all' : `${minVersion} to ${maxVersion}`
    throw new KafkaError(
      'unsupported_version',
      `${this.#name} speaks ${api.name} ${theirs}; ${api.least} to ${api.most} is needed (Kafka 2.5 or later).`,
    )
  }

  /** The broker asked for silence: the next requests wait that many milliseconds. */
  throttle(milliseconds: number): void {
    this.#connection.requestQueue.maybeThrottle(milliseconds)
  }

  /** Ends the connection at once. Idempotent. */
  close(): void {
    this.#closed = true
    // kafkajs notices the end of a socket only by its error; it then rejects what waits, and stops its timer.
    this.#socket()?.destroy(this.#closedError())
  }

  #closedError(): KafkaError {
    return new KafkaError('closed', `The connection to ${this.#name} was closed.`)
  }

  async #open(): Promise<void> {
    await this.#connection.connect()
    const { payload } = await this.#exchange(apiVersions, 0, true)
    const { error, versions } = apiVersions.decode(new Reader(payload ?? Buffer.alloc(0)), 0)
    if (error !== 0)
      throw new KafkaError('unsupported_version', `${this.#name} does not tell its API versions (${error}).`)
    this.#versions = versions
    this.#connection.setVersions(versions)
    this.#connection.setSupportAuthenticationProtocol(versions[saslAuthenticate] !== undefined)
    await this.#connection.authenticate()
  }

  /** SASL sessions expire: kafkajs knows when, and renews them before the next request. */
  async #authenticated(): Promise<void> {
    if (!this.open) throw this.#closedError()
    if (this.#access.sasl === null || this.#connection.isAuthenticated()) return
    try {
      await this.#connection.authenticate()
    } catch (cause) {
      this.close()
      throw connectError(this.#name, this.#access, cause)
    }
  }

  #exchange(request: Request<unknown>, version: number, answered: boolean): Promise<{ payload: Buffer | null }> {
    this.#usedAt = performance.now()
    const { key: apiKey, name: apiName } = request.api
    const correlationId = this.#connection.nextCorrelationId()
    const parts = frame(request, { version, correlationId, clientId: this.#settings.clientId })
    return new Promise<{ payload: Buffer | null }>((resolve, reject) => {
      this.#connection.requestQueue.push({
        entry: { apiKey, apiName, apiVersion: version, correlationId, resolve: answered ? resolve : ignore, reject },
        expectResponse: answered,
        sendRequest: () =>
          this.#write(parts, error => {
            if (error) reject(error)
            else if (!answered) resolve({ payload: null })
          }),
      })
    }).catch((cause: unknown) => {
      this.close()
      throw new KafkaError('unknown_outcome', `${this.#name} did not answer ${apiName}.`, { cause })
    })
  }

  #write(parts: readonly Buffer[], written: (error?: Error | null) => void): void {
    const { socket } = this.#connection
    socket.cork()
    for (const part of parts.slice(0, -1)) socket.write(part)
    socket.write(parts.at(-1) ?? '', written)
    socket.uncork()
  }
}

async function accessOf({ access }: ConnectionSettings): Promise<Access> {
  try {
    return await access()
  } catch (cause) {
    throw cause instanceof SecretError ? new KafkaError('secret_missing', cause.message, { cause }) : cause
  }
}

function isFlexible({ flexibleFrom = Number.POSITIVE_INFINITY }: Api, version: number): boolean {
  return version >= flexibleFrom
}

/** A request as it goes out: length, header, body. The body's parts stay where they are. */
function frame(
  request: Request<unknown>,
  { version, correlationId, clientId }: { version: number; correlationId: number; clientId: string },
): readonly Buffer[] {
  const flexible = isFlexible(request.api, version)
  const header = new Writer().int16(request.api.key).int16(version).int32(correlationId).string(clientId)
  if (flexible) header.noTags()
  const body = new Writer({ flexible })
  request.encode(body, version)
  const parts = [...header.parts, ...body.parts]
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  return joinSmall([...new Writer().int32(size).parts, ...parts])
}

/** The fields between the batches become one buffer each, so that a request is a handful of writes. */
function joinSmall(parts: readonly Buffer[]): readonly Buffer[] {
  const joined: Buffer[] = []
  let small: Buffer[] = []
  for (const part of parts) {
    if (part.length < smallPart) {
      small.push(part)
      continue
    }
    joined.push(Buffer.concat(small), part)
    small = []
  }
  joined.push(Buffer.concat(small))
  return joined.filter(part => part.length > 0)
}

function openSocket({ host, port }: Address, tls: ConnectionOptions | null, connected: () => void): Socket {
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket =
    tls === null ? connect({ host, port }, connected) : connectTls({ host, port, ...servername, ...tls }, connected)
  socket.setNoDelay(true)
  return socket.setKeepAlive(true, keepAliveDelay)
}
