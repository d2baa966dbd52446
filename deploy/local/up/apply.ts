/** The first route: a user's folder of documents, or the example with the addresses of this machine's servers. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { root } from '../index.mjs'
import { type FleetOptions, natsEnvironment } from './fleet.ts'
import type { Servers } from './servers.ts'

const example = path.join(root, 'examples', 'telemetry')

/** The example's documents, with the servers' real addresses, in a folder; returns the folder. */
export async function exampleDocuments(servers: Servers, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const connections = await readFile(path.join(example, 'connections.yaml'), 'utf8')
  const addressed = connections
    .replace('mqtt://127.0.0.1:1883', servers.mqttUrl)
    .replace('[127.0.0.1:9092]', `[${servers.kafkaBrokers.join(', ')}]`)
  await writeFile(path.join(folder, 'connections.yaml'), addressed)
  await writeFile(path.join(folder, 'route.yaml'), await readFile(path.join(example, 'route.yaml')))
  return folder
}

/** Applies a folder of documents with the command line, as a user would. Returns what it says. */
export async function applyDocuments(folder: string, fleet: FleetOptions, signal: AbortSignal): Promise<string> {
  const command = path.join(root, 'cli', 'src', 'main.ts')
  const env = { ...process.env, ...natsEnvironment('cli', fleet) }
  const { stdout } = await promisify(execFile)(process.execPath, [command, 'apply', '-f', folder], { env, signal })
  return stdout.trim()
}
