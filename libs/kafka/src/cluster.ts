/**
 * A cluster: its brokers by node id, each reached over one connection that is made when it is first needed, and again
 * after it was lost. Nothing is retried here: who asks decides what an error means for what it had sent.
 */
import { BrokerConnection, type ConnectionSettings } from './connection.ts'
import { KafkaError } from './errors.ts'
import { type Address, type ClusterMetadata, metadata } from './requests/metadata.ts'
import type { Api, Request } from './requests/request.ts'

/** How to reach a cluster. */
export interface ClusterSettings extends ConnectionSettings {
  /** The brokers to ask first. */
  brokers: readonly Address[]
  /** A request of more bytes is refused, or the connection closed. */
  largestRequest: number
  /** Whether headers may hold values as AMQP encodes them: they are read as they were meant. */
  amqpHeaders: boolean
  /** Whether records that are compressed otherwise are refused. */
  gzipOnly: boolean
}

/** A cluster that has answered once. */
export class Cluster implements Disposable {
  readonly settings: ClusterSettings
  #addresses = new Map<number, Address>()
  readonly #open = new Map<string, BrokerConnection>()
  readonly #opening = new Map<string, Promise<BrokerConnection>>()
  readonly #closed = new AbortController()
  readonly #signal: AbortSignal | undefined
  readonly #abort = () => this.close()

  private constructor(settings: ClusterSettings, signal: AbortSignal | undefined) {
    this.settings = settings
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort)
    if (signal?.aborted) this.close()
  }

  /**
   * Connects to the first broker that answers, and learns the others. Throws the last KafkaError where none does, or
   * `closed` when the signal aborts. The signal ends the cluster later, too.
   */
  static async open(settings: ClusterSettings, signal?: AbortSignal): Promise<Cluster> {
    const cluster = new Cluster(settings, signal)
    try {
      await cluster.metadata([])
      return cluster
    } catch (error) {
      cluster.close()
      throw error
    }
  }

  /** The connection to a broker, made if need be. Throws KafkaError: nothing was sent then. */
  async broker(node: number): Promise<BrokerConnection> {
    const address = this.#addresses.get(node)
    if (address !== undefined) return await this.#connection(address)
    throw new KafkaError('broker_unreachable', `Broker ${node} is not in the cluster now.`)
  }

  /** Asks for these topics (null: all), and learns where the brokers are. Throws the last KafkaError where none answers. */
  async metadata(topics: readonly string[] | null): Promise<ClusterMetadata> {
    const answer = await this.ask(metadata(topics))
    this.#addresses = answer.brokers
    return answer
  }

  /** Throws KafkaError `unsupported_version` where a broker that is connected does not speak all of these. */
  require(apis: readonly Api[]): void {
    for (const connection of this.#open.values()) for (const api of apis) connection.versionOf(api)
  }

  /**
   * Asks any broker, for what may be asked twice: whoever is connected first, then everyone known, then the brokers
   * of the settings. Throws the last KafkaError where none answers.
   */
  async ask<Answer>(request: Request<Answer>): Promise<Answer> {
    let lost: unknown
    const known = [...this.#addresses.values()].sort((a, b) => Number(this.#isOpen(b)) - Number(this.#isOpen(a)))
    const all = new Map([...known, ...this.settings.brokers].map(address => [nameOf(address), address]))
    for (const address of all.values()) {
      try {
        const connection = await this.#connection(address)
        return await connection.send(request)
      } catch (error) {
        lost = error
        if (this.#closed.signal.aborted) break
      }
    }
    throw lost
  }

  /** Ends all connections at once: nothing is sent any more. Idempotent. */
  close(): void {
    this.#closed.abort()
    this.#signal?.removeEventListener('abort', this.#abort)
    for (const connection of this.#open.values()) connection.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #isOpen(address: Address): boolean {
    return this.#open.get(nameOf(address))?.open ?? false
  }

  async #connection(address: Address): Promise<BrokerConnection> {
    if (this.#closed.signal.aborted) throw new KafkaError('closed', 'The connections to the cluster were closed.')
    const name = nameOf(address)
    const open = this.#open.get(name)
    if (open?.open && !open.stale) return open
    open?.close()
    const opening = this.#opening.get(name) ?? this.#connect(name, address)
    return await opening
  }

  #connect(name: string, address: Address): Promise<BrokerConnection> {
    const opening = BrokerConnection.open(address, this.settings, this.#closed.signal)
      .then(connection => {
        this.#open.set(name, connection)
        return connection
      })
      .finally(() => this.#opening.delete(name))
    this.#opening.set(name, opening)
    return opening
  }
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`
}
