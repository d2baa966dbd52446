import { readDocuments } from '@millrace/routes'
import { KafkaSink } from '../src/sink.ts'

/** What a test wants to be otherwise. */
export interface SinkWish {
  broker: string
  topic: string
  /** More of the route's `sink`, as YAML's flow style has it. */
  more?: string
  partition?: string
  signal?: AbortSignal
}

/** Opens the sink of lane 0 of a route that is written as a user would. */
export async function openSink({ broker, topic, partition = 'key', more = '', signal }: SinkWish): Promise<KafkaSink> {
  const text = `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec: { mqtt: { url: "mqtt://127.0.0.1:1883" } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec: { kafka: { brokers: ["${broker}"] } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: r }
spec:
  source: { connection: plant, topics: [a] }
  sink: { connection: lake, topic: "${topic}", partition: "${partition}" ${more} }
`
  const { connections, routes, problems } = readDocuments([{ file: 'test.yaml', text }])
  const [route, sink] = [routes[0], connections.find(({ name }) => name === 'lake')]
  if (route === undefined || sink === undefined) throw new Error(`bad documents: ${JSON.stringify(problems)}`)
  return await KafkaSink.open(
    { uid: 'u', lane: '0' },
    {
      installation: 'test',
      route,
      sink,
      secret: () => Promise.reject(new Error('no secrets here')),
      signal: signal ?? new AbortController().signal,
      settings: { secretsDir: '/nowhere' },
    },
    async () => true,
  )
}
