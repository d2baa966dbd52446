import { documentsOf } from '@millrace/testkit'
import { KafkaSink, openSink as open } from '../src/sink.ts'

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
  const documents = documentsOf({ r: `topic: "${topic}", partition: "${partition}" ${more}` }, broker)
  const [[route], sink] = [documents.routes, documents.connections.find(({ name }) => name === 'lake')]
  if (route === undefined || sink === undefined) throw new Error('no route, or no connection')
  const opened = await open(
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
  if (opened instanceof KafkaSink) return opened
  throw new Error('another kind of sink')
}
