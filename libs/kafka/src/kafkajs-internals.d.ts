/**
 * The one part of kafkajs that is used from its inside: a connection to one broker. kafkajs is pinned (2.2.4, the last
 * release) and its source files are part of the package, so this says what is there, as far as we use it.
 */
declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net'
  import type { ConnectionOptions } from 'node:tls'
  import type { ISocketFactory, Mechanism, SASLOptions } from 'kafkajs'

  interface Logger {
    namespace(name: string): Logger
    debug(message: string, extra?: object): void
    info(message: string, extra?: object): void
    warn(message: string, extra?: object): void
    error(message: string, extra?: object): void
  }

  interface Entry {
    apiKey: number
    apiName: string
    apiVersion: number
    correlationId: number
    resolve(answer: { payload: Buffer | null }): void
    reject(error: Error): void
  }

  /** Answers come back by correlation id; a throttled client's requests wait here. */
  interface RequestQueue {
    push(request: { entry: Entry; expectResponse: boolean; sendRequest(): void }): void
    maybeThrottle(milliseconds: number): void
    rejectAll(error: Error): void
    destroy(): void
  }

  class Connection {
    constructor(options: {
      host: string
      port: number
      logger: Logger
      socketFactory: ISocketFactory
      clientId: string
      requestTimeout: number
      connectionTimeout: number
      ssl: ConnectionOptions | null
      sasl: SASLOptions | Mechanism | null
    })
    readonly requestQueue: RequestQueue
    readonly socket: Socket
    connect(): Promise<boolean>
    isConnected(): boolean
    isAuthenticated(): boolean
    authenticate(): Promise<void>
    setVersions(versions: { [apiKey: number]: { minVersion: number; maxVersion: number } }): void
    setSupportAuthenticationProtocol(isSupported: boolean): void
    nextCorrelationId(): number
  }

  export default Connection
}
