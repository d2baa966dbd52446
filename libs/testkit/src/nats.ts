import { ensureTools, freePort, startNats as launchNats } from '@millrace/local'
import { type Launched, launchIn, Server } from './server.ts'

/** How a test wants its nats-server. Texts are parts of nats-server's own configuration file. */
export interface NatsOptions {
  /** An `accounts` or `authorization` block. */
  readonly users?: string
  /** Flush to the disk before each PubAck; on unless told. */
  readonly syncAlways?: boolean
  /** JetStream's folder, if it shall not be in the server's own (a tmpfs that can be full). It is not removed. */
  readonly storeDir?: string
  readonly port?: number
  /** Like `1MB`, which is the server's default. */
  readonly maxPayload?: string
  /** Most that JetStream stores, like `20MB`: how to fill a server. */
  readonly maxFileStore?: string
  readonly extra?: string
}

/** A nats-server with JetStream. */
export class NatsServer extends Server {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string
  /** Where `/healthz`, `/varz` and `/jsz` are. */
  readonly monitorUrl: string

  constructor(launched: Launched, monitorPort: number) {
    super(launched)
    this.url = `nats://127.0.0.1:${launched.port}`
    this.monitorUrl = `http://127.0.0.1:${monitorPort}`
  }
}

/** Starts a nats-server with JetStream, and waits until JetStream is ready. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const { 'nats-server': tool } = await ensureTools(['nats-server'])
  const port = options.port ?? (await freePort())
  const monitorPort = await freePort()
  const launched = await launchIn('nats', port, folder =>
    launchNats({ ...options, binary: tool.path, folder, port, monitorPort }),
  )
  return new NatsServer(launched, monitorPort)
}
