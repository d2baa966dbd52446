/** Millrace as `npm start` runs it: nats-server with `sync_interval: always`, one process of each service. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { natsUsers } from '@millrace/bus'
import { applyDocuments, type FleetOptions, newPasswords, startFleet } from '@millrace/local/fleet'
import { startNats } from '@millrace/testkit'
import { topicFilter } from './run.ts'
import type { Place } from './place.ts'
import type { Ends, Job, System } from './system.ts'

function documents(kafkaPort: number, job: Job): string {
  return `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: bench-mqtt }
spec: { mqtt: { url: 'mqtt://127.0.0.1:${job.mqttPort}' } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: bench-kafka }
spec: { kafka: { brokers: ['127.0.0.1:${kafkaPort}'] } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: bench }
spec:
${routes[job.ends](job)}
  buffer: { maxBytes: 1GiB }
`
}

const routes: Record<Ends, (job: Job) => string> = {
  'mqtt-kafka': ({ topic }) => `
  source: { connection: bench-mqtt, topics: ['${topicFilter}'], qos: 1 }
  sink: { connection: bench-kafka, topic: ${topic}, key: '\${source.levels[1]}' }`,
  'kafka-mqtt': ({ from }) => `
  source: { connection: bench-kafka, topics: [${from}], start: earliest }
  sink: { connection: bench-mqtt, topic: 'out/\${record.key}', qos: 1 }
  headers: none`,
  'kafka-kafka': ({ from, topic, exactlyOnce }) => `
  source: { connection: bench-kafka, topics: [${from}], start: earliest }
  sink: { connection: bench-kafka, topic: ${topic} }
  delivery: ${exactlyOnce === true ? 'exactlyOnce' : 'atLeastOnce'}`,
}

async function prepare(place: Place, job: Job) {
  const stack = new AsyncDisposableStack()
  const passwords = newPasswords()
  const nats = stack.use(await startNats({ users: natsUsers(passwords) }))
  const folder = path.join(place.folder, job.topic)
  await mkdir(folder, { recursive: true })
  const tell = (line: string) => void process.stderr.write(`${line}\n`)
  const fleet: FleetOptions = { natsUrl: nats.url, natsMonitorUrl: nats.monitorUrl, passwords, folder, tell }
  const [from, to] = job.ends.split('-')
  const services = await startFleet({ coordinator: 1, [`${from}-ingress`]: 1, [`${to}-egress`]: 1 }, fleet)
  stack.defer(async () => void (await Promise.all(services.map(service => service.stop()))))
  const file = path.join(folder, 'bench.yaml')
  await writeFile(file, documents(place.kafka.port, job))
  const [coordinator, ingress, egress] = services
  if (coordinator === undefined || ingress === undefined || egress === undefined)
    throw new Error('a service is missing')
  return {
    processes: { ingress: ingress.pid, nats: nats.pid, egress: egress.pid, coordinator: coordinator.pid },
    begin: async () => void (await applyDocuments(file, fleet, AbortSignal.timeout(30_000))),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export const millrace: System = {
  name: 'Millrace',
  prepare,
  start: async (place, job) => {
    const prepared = await prepare(place, job)
    await prepared.begin()
    return prepared
  },
}
