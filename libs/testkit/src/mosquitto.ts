import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { ensureTools, freePort, run, startMosquitto as launchMosquitto } from '@millrace/local'
import { type Certificates, certificates } from './certificates.ts'
import { type Launched, launchIn, Server } from './server.ts'

/** How a test wants its mosquitto. */
export interface MosquittoOptions {
  readonly port?: number
  /** Keep sessions over an orderly restart; on unless told. */
  readonly persistence?: boolean
  /**
   * One more listener, with TLS; `clientCertificate` lets in only clients that show one, `webSocket` speaks MQTT over
   * it, `expired` has a certificate that was valid until yesterday.
   */
  readonly tls?: { readonly clientCertificate?: boolean; readonly webSocket?: boolean; readonly expired?: boolean }
  /** User names and their passwords; without them everybody may connect. */
  readonly passwords?: Readonly<Record<string, string>>
  /** More lines of its configuration file. */
  readonly extra?: string
}

/** A mosquitto on `mqtt://127.0.0.1`, and where asked on `mqtts://` too. */
export class Mosquitto extends Server {
  /** `mqtt://127.0.0.1:<port>` */
  readonly url: string
  /** Only with `tls`: its address, and the certificates to reach it with. */
  readonly tls: { readonly url: string; readonly port: number; readonly certificates: Certificates } | undefined

  constructor(launched: Launched, tls?: { port: number; certificates: Certificates }) {
    super(launched)
    this.url = `mqtt://127.0.0.1:${launched.port}`
    this.tls = tls && { ...tls, url: `mqtts://127.0.0.1:${tls.port}` }
  }
}

/** Starts a mosquitto that queues without limit, and waits until it answers. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { mosquitto: tool } = await ensureTools(['mosquitto'])
  const port = options.port ?? (await freePort())
  const tlsPort = await freePort()
  let made: Certificates | undefined
  const launched = await launchIn('mosquitto', port, async folder => {
    if (options.tls !== undefined) made ??= await certificates(path.join(folder, 'certificates'))
    const tls = made && {
      port: tlsPort,
      ca: made.ca,
      ...(options.tls?.expired ? made.expired : made.server),
      webSocket: options.tls?.webSocket ?? false,
      requireCertificate: options.tls?.clientCertificate ?? false,
    }
    const passwordFile = options.passwords && (await writePasswords(folder, options.passwords))
    return launchMosquitto({
      binary: tool.path,
      folder,
      port,
      ...(options.persistence === undefined ? {} : { persistence: options.persistence }),
      ...(options.extra === undefined ? {} : { extra: options.extra }),
      ...(tls && { tls }),
      ...(passwordFile && { passwordFile }),
    })
  })
  return new Mosquitto(launched, made && { port: tlsPort, certificates: made })
}

async function writePasswords(folder: string, passwords: Readonly<Record<string, string>>): Promise<string> {
  const file = path.join(folder, 'passwords')
  await mkdir(folder, { recursive: true })
  for (const [index, [user, password]] of Object.entries(passwords).entries()) {
    await run('mosquitto_passwd', [...(index === 0 ? ['-c'] : []), '-b', file, user, password])
  }
  return file
}
