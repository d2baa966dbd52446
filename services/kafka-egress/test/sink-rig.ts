import { Cluster, Producer, Transaction } from '@millrace/kafka'
import type { Route } from '@millrace/routes'
import { settingsFor } from '../../../libs/kafka/test/rig.ts'
// This file alone: all of testkit is a third of what it takes to start an owner, of which tests start a hundred.
import { documentsOf } from '../../../libs/testkit/src/documents.ts'
import { mapperOf } from '../src/map.ts'
import { ExactlyOnceSink, KafkaSink, openSink as openKafkaSink } from '../src/sink.ts'

/** What a test wants to be otherwise. */
export interface SinkWish {
  broker: string
  topic: string
  /** More of the route's `sink`, as YAML's flow style has it. */
  more?: string
  partition?: string
  /** Of the route; `u` unless said. */
  uid?: string
  signal?: AbortSignal
}

/** Opens the sink of lane 0 of a route that is written as a user would. */
export async function openSink(wish: SinkWish): Promise<KafkaSink> {
  const opened = await open(wish, 'atLeastOnce')
  if (opened instanceof KafkaSink) return opened
  throw new Error('another kind of sink')
}

/** The same of a route with `delivery: exactlyOnce`. */
export async function openExactlyOnce(wish: SinkWish): Promise<ExactlyOnceSink> {
  const opened = await open(wish, 'exactlyOnce')
  if (opened instanceof ExactlyOnceSink) return opened
  throw new Error('another kind of sink')
}

/** As `openExactlyOnce`, of a lane whose transactions the broker aborts after so many milliseconds. */
export async function openHasty({ broker, topic, uid = 'u' }: SinkWish, timeout: number): Promise<ExactlyOnceSink> {
  const cluster = await Cluster.open(settingsFor(Number(broker.split(':')[1])))
  const transaction = new Transaction({ cluster, id: `millrace.test.${uid}.0`, positionTopic: topic, timeout })
  const producer = await Producer.open({
    cluster,
    lane: '0',
    transactionalId: transaction,
    acks: 'all',
    compression: 'none',
    partitionBy: 'key',
    maxBatchBytes: 1_000_000,
    missingTopic: 'hold',
    topic,
  })
  const map = mapperOf({ sink: { topic, partition: 'key' }, headers: 'lossless' })
  return new ExactlyOnceSink({ cluster, producer, map }, transaction)
}

async function open(
  { broker, topic, partition = 'key', more = '', uid = 'u', signal }: SinkWish,
  delivery: Route['delivery'],
) {
  const documents = documentsOf({ r: `topic: "${topic}", partition: "${partition}" ${more}` }, broker)
  const [[route], sink] = [documents.routes, documents.connections.find(({ name }) => name === 'lake')]
  if (route === undefined || sink === undefined) throw new Error('no route, or no connection')
  return await openKafkaSink(
    { uid, lane: '0' },
    {
      installation: 'test',
      route: { ...route, delivery },
      sink,
      secret: () => Promise.reject(new Error('no secrets here')),
      conceal() {},
      signal: signal ?? new AbortController().signal,
      settings: { secretsDir: '/nowhere' },
    },
    async () => true,
  )
}
