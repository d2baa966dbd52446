/** Our own services as processes of this machine, each kept running. Used by `npm start`, the tests and the benchmarks. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { NatsUserName } from '@millrace/bus'
import { root, start } from '../index.mjs'
import { Kept } from './keep.ts'
import { type LocalService, serviceNames } from './options.ts'

/** The password of each NATS user. */
export type Passwords = Record<NatsUserName, string>

/** What the services are started with. */
export interface FleetOptions {
  natsUrl: string
  /** Where nats-server tells what it is set to; absent: unknown. */
  natsMonitorUrl?: string
  /** Absent where the NATS server asks for none. */
  passwords?: Passwords
  /** Logs go here, one file a process. */
  folder: string
  /** The installation's name; absent: the coordinator makes one. */
  installation?: string
  /** Mounted secrets: `<folder>/<secretName>/<key>`. */
  secretsFolder?: string
  /** Told of every death and restart. */
  tell: (line: string) => void
}

/**
 * How V8 is to be told that megabytes of buffers come and go every second: else it collects everything for every 32 to
 * 64 MB of them, a third of a service's CPU under load. Only the command line takes these.
 */
const v8Flags = [
  '--external-memory-accounted-in-global-limit',
  '--initial-old-space-size=64',
  '--max-semi-space-size=4',
]

/** Starts one instance of a service. Its name, and so its place in the installation, is `<number>`. */
export function startInstance(service: LocalService, number: number, options: FleetOptions): Promise<Kept> {
  const name = `${service}-${number}`
  const main = path.join(root, 'services', service, 'src', 'main.ts')
  const log = path.join(options.folder, `${name}.log`)
  const env = { ...process.env, ...environmentOf(service, number, options) }
  return Kept.start(
    name,
    () => Promise.resolve(start(process.execPath, [...v8Flags, main], { log, env })),
    options.tell,
  )
}

/** Starts services, so many instances of each; none where none are asked for. */
export async function startFleet(
  instances: Partial<Record<LocalService, number>>,
  options: FleetOptions,
): Promise<Kept[]> {
  await mkdir(options.folder, { recursive: true })
  const wanted = serviceNames.flatMap(service =>
    Array.from({ length: instances[service] ?? 0 }, (_, index) => ({ service, number: index + 1 })),
  )
  return Promise.all(wanted.map(({ service, number }) => startInstance(service, number, options)))
}

/** The environment that tells a process of ours how to reach NATS as a user. */
export function natsEnvironment(user: keyof Passwords, options: Pick<FleetOptions, 'natsUrl' | 'passwords'>) {
  const { natsUrl, passwords } = options
  const password = passwords?.[user]
  return {
    MILLRACE_NATS_URL: natsUrl,
    ...(password === undefined ? {} : { MILLRACE_NATS_PASSWORD: password }),
  }
}

function environmentOf(service: LocalService, number: number, options: FleetOptions): Record<string, string> {
  const { natsMonitorUrl, installation, secretsFolder } = options
  return {
    ...natsEnvironment(service, options),
    MILLRACE_INSTANCE: String(number),
    MILLRACE_HTTP_PORT: '0',
    NODE_COMPILE_CACHE: path.join(root, '.millrace', 'compile-cache'),
    ...(natsMonitorUrl === undefined ? {} : { MILLRACE_NATS_MONITOR_URL: natsMonitorUrl }),
    ...(installation === undefined ? {} : { MILLRACE_INSTALLATION: installation }),
    ...(secretsFolder === undefined ? {} : { MILLRACE_SECRETS_DIR: secretsFolder }),
  }
}

/** What `npm start` keeps on this machine: data, logs, passwords. */
export const localFolder = path.join(root, '.millrace', 'local')

/** The passwords of the installation in a folder; undefined where none was started there yet. */
export async function readPasswords(folder: string): Promise<Passwords | undefined> {
  const kept = await readFile(passwordFile(folder), 'utf8').catch(() => undefined)
  return kept === undefined ? undefined : JSON.parse(kept)
}

/** The same; made, in a file that only we may read, where a user has none yet. */
export async function keptPasswords(folder: string): Promise<Passwords> {
  const passwords = { ...newPasswords(), ...(await readPasswords(folder)) }
  await mkdir(folder, { recursive: true })
  await writeFile(passwordFile(folder), JSON.stringify(passwords), { mode: 0o600 })
  return passwords
}

const passwordFile = (folder: string) => path.join(folder, 'nats-passwords.json')

/** A password for each user. */
export function newPasswords(): Passwords {
  const made = () => randomBytes(18).toString('base64url')
  const services = { 'mqtt-ingress': made(), 'kafka-ingress': made(), 'mqtt-egress': made(), 'kafka-egress': made() }
  return { ...services, coordinator: made(), cli: made() }
}
