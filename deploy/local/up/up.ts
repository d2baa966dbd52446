/**
 * `npm start`, once Node 26 and the dependencies are there: the real servers, every service, the example route and a
 * demo fleet, all kept running; one live table; and on Ctrl-C all of it stopped in order, the last started first.
 */
import path from 'node:path'
import { connectBus, natsUsers } from '@millrace/bus'
import { aborted, delay } from '@millrace/actor'
import { start } from '../index.mjs'
import { applyDocuments, exampleDocuments } from './apply.ts'
import { type FleetOptions, keptPasswords, localFolder as folder, startFleet } from './fleet.ts'
import { Kept } from './keep.ts'
import { type Options, readOptions, UsageError } from './options.ts'
import { plainLine, render, type View } from './screen.ts'
import { type Servers, startServers } from './servers.ts'
import { processRows, readInstances, RouteRates } from './view.ts'

const LOOK_MS = 1_000
const PLAIN_EVERY_MS = 5_000

const events: string[] = []
const terminal = process.stdout.isTTY
let drawing = false

function tell(line: string): void {
  events.push(`${new Date().toTimeString().slice(0, 8)} ${line}`)
  if (!drawing || !terminal) process.stdout.write(`${line}\n`)
}

async function main(options: Options, signal: AbortSignal): Promise<void> {
  const started: Kept[] = []
  try {
    const passwords = await keptPasswords(folder)
    const servers = await startServers({ folder, users: natsUsers(passwords), tell })
    started.push(...servers.kept)
    const fleet: FleetOptions = {
      natsUrl: servers.natsUrl,
      folder: path.join(folder, 'logs'),
      secretsFolder: path.join(folder, 'secrets'),
      tell,
      ...(servers.natsMonitorUrl === undefined ? {} : { natsMonitorUrl: servers.natsMonitorUrl }),
      ...(servers.ownNats ? { passwords } : {}),
    }
    started.push(...(await startFleet(options.instances, fleet)))
    tell(`the services run; their logs are in ${path.relative(process.cwd(), fleet.folder)}`)
    const documents = options.config ?? (await exampleDocuments(servers, path.join(folder, 'example')))
    for (const line of (await applyDocuments(documents, fleet, signal)).split('\n')) tell(line)
    if (options.demo) started.push(await startDemo(servers, fleet))
    await show({ servers, fleet, started }, signal)
  } finally {
    drawing = false
    await stopAll(started)
  }
}

function startDemo(servers: Servers, { folder: logs }: FleetOptions): Promise<Kept> {
  const program = path.join(import.meta.dirname, 'demo.ts')
  const log = path.join(logs, 'demo.log')
  return Kept.start('demo', () => Promise.resolve(start(process.execPath, [program, servers.mqttUrl], { log })), tell)
}

interface Running {
  servers: Servers
  fleet: FleetOptions
  started: readonly Kept[]
}

/** Looks once a second and shows what it saw, until the signal. */
async function show({ servers, fleet, started }: Running, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const password = fleet.passwords?.cli
  const caFile = process.env['MILLRACE_NATS_CA'] || undefined
  await using bus = await connectBus({
    url: fleet.natsUrl,
    user: 'cli',
    name: 'npm start',
    signal,
    ...(password === undefined ? {} : { password }),
    ...(caFile === undefined ? {} : { caFile }),
  })
  const rates = new RouteRates()
  let plainAt = 0
  drawing = true
  while (!signal.aborted) {
    // NATS away: the table stays as it was, and the events say why.
    const instances = await readInstances(bus).catch(() => undefined)
    if (instances !== undefined) {
      const routes = rates.rows(instances)
      const processes = processRows(started, instances)
      if (terminal) draw({ title: title(servers), processes, routes, events, hints: hints(servers) })
      else if (performance.now() - plainAt >= PLAIN_EVERY_MS) {
        plainAt = performance.now()
        for (const route of routes) process.stdout.write(`${plainLine(route)}\n`)
      }
    }
    await Promise.race([delay(LOOK_MS, signal), aborted(signal)])
  }
}

const title = ({ natsUrl, mqttUrl, kafkaBrokers }: Servers) =>
  `Millrace: ${mqttUrl} <-> ${natsUrl} <-> kafka ${kafkaBrokers.join(',')}`

function hints({ mqttUrl }: Servers): string[] {
  const { hostname, port } = new URL(mqttUrl)
  return [
    'Try, in another terminal:',
    `  mosquitto_pub -h ${hostname} -p ${port || 1883} -V 5 -q 1 -t sensors/mine/telemetry -m '{"celsius": 21.5}'`,
    '  npm run -s consume -- telemetry       what Kafka has, by its own console consumer',
    '  npm run -s millrace -- status         who owns what; --help says what else there is',
    'Ctrl-C stops everything; the data stays for the next start.',
  ]
}

function draw(view: View): void {
  const lines = render(view, process.stdout.columns ?? 120)
  process.stdout.write(`\u001b[H${lines.map(line => `${line}\u001b[K`).join('\n')}\u001b[J`)
}

/** In the reverse order of their start, but what is alike at once: the demo, the services, the servers. */
async function stopAll(started: readonly Kept[]): Promise<void> {
  const servers = new Set(['nats-server', 'mosquitto', 'kafka'])
  const groups = [
    started.filter(({ name }) => name === 'demo'),
    started.filter(({ name }) => name !== 'demo' && !servers.has(name)),
    started.filter(({ name }) => servers.has(name)),
  ]
  if (started.length > 0) tell('stopping in order: the demo, the services, the servers')
  for (const group of groups) await Promise.all(group.map(kept => kept.stop()))
  if (started.length > 0) tell('everything is stopped; the data is kept in .millrace/local')
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
try {
  await main(readOptions(process.argv.slice(2)), stop.signal)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
