/** Millrace as `npm start` runs it: nats-server with `sync_interval: always`, one process of each service. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { natsUsers } from '@millrace/bus'
import { applyDocuments, type FleetOptions, newPasswords, startFleet } from '@millrace/local/fleet'
import { startNats } from '@millrace/testkit'
import { topicFilter } from './run.ts'
import type { System } from './system.ts'

function documents(mqttPort: number, kafkaPort: number, topic: string): string {
  return `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: bench-mqtt }
spec: { mqtt: { url: 'mqtt://127.0.0.1:${mqttPort}' } }
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
  source: { connection: bench-mqtt, topics: ['${topicFilter}'], qos: 1 }
  sink: { connection: bench-kafka, topic: ${topic}, key: '\${source.levels[1]}' }
  buffer: { maxBytes: 1GiB }
`
}

export const millrace: System = {
  name: 'Millrace',
  start: async (place, { topic, mqttPort }) => {
    const stack = new AsyncDisposableStack()
    const passwords = newPasswords()
    const nats = stack.use(await startNats({ users: natsUsers(passwords) }))
    const folder = path.join(place.folder, topic)
    await mkdir(folder, { recursive: true })
    const tell = (line: string) => void process.stderr.write(`${line}\n`)
    const fleet: FleetOptions = { natsUrl: nats.url, natsMonitorUrl: nats.monitorUrl, passwords, folder, tell }
    const services = await startFleet({ coordinator: 1, 'mqtt-ingress': 1, 'kafka-egress': 1 }, fleet)
    stack.defer(async () => void (await Promise.all(services.map(service => service.stop()))))
    await writeFile(path.join(folder, 'bench.yaml'), documents(mqttPort, place.kafka.port, topic))
    await applyDocuments(path.join(folder, 'bench.yaml'), fleet, AbortSignal.timeout(30_000))
    const [coordinator, ingress, egress] = services
    if (coordinator === undefined || ingress === undefined || egress === undefined)
      throw new Error('a service is missing')
    return {
      processes: { ingress: ingress.pid, nats: nats.pid, egress: egress.pid, coordinator: coordinator.pid },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  },
}
