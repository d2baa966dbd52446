/** `delivery: exactlyOnce` as instances run it, with their leases. */
import {
  eventually,
  install,
  type Installation,
  type Kafka,
  type LaneSource,
  noLeaks,
  startKafka,
} from '@millrace/testkit'
import { positionKey, recordsBehind } from '@millrace/bus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deliver } from '@millrace/lane'
import { openExactlyOnce } from './sink-rig.ts'
import { actorOf, applyExactRoutes, instanceOf, openSource } from './service-rig.ts'

noLeaks()

let kafka: Kafka
let installation: Installation
beforeAll(async () => {
  kafka = await startKafka()
  installation = await install()
  await applyExactRoutes(installation, kafka.brokers.join(), {
    moved: 'topic: moved',
    templates: 'topic: "t-${record.key}", positionTopic: positions',
    missing: 'topic: missing, createTopic: { partitions: 1 }',
  })
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

const valuesOf = async (topic: string) => (await kafka.readAll(topic)).map(({ value }) => String(value))

/** Waits until so many records of the route are behind its position. */
async function behind(route: string, records: number): Promise<void> {
  const key = positionKey({ service: 'kafka-egress', route, lane: '0' })
  const there = async () => {
    const position = await installation.positions().read(key)
    return position !== undefined && recordsBehind(position.value.totals) === records
  }
  await eventually(there, { what: `${records} records behind`, timeout: 60_000 })
}

/** Appends the numbers up to there, 10 to a message. */
async function count(source: LaneSource, { from, to }: { from: number; to: number }): Promise<void> {
  for (let number = from; number < to; number += 10) {
    await source.append(Array.from({ length: 10 }, (_, index) => `k:${number + index}`))
  }
}

const counted = (to: number) => Array.from({ length: to }, (_, number) => `k:${number}`)

test('a lane that is given away while its owner is stopped, killed, or asked to end: each record once, in order', {
  timeout: 180_000,
}, async () => {
  await kafka.createTopic('moved')
  const source = await openSource(installation, 'moved', 'kafka-ingress')
  await using first = instanceOf(installation, 'first')
  await first.assign(actorOf('moved', 1))
  await count(source, { from: 0, to: 1_000 })
  await first.state('sink.moved.0', 'running')
  await first.kill('SIGSTOP')
  await using second = instanceOf(installation, 'second')
  await second.assign(actorOf('moved', 2))
  await count(source, { from: 1_000, to: 2_000 })
  await second.state('sink.moved.0', 'running')
  await first.kill('SIGCONT')
  await count(source, { from: 2_000, to: 3_000 })
  await second.kill('SIGKILL')
  await count(source, { from: 3_000, to: 4_000 })
  await using third = instanceOf(installation, 'third')
  await third.assign(actorOf('moved', 3))
  await behind('moved', 4_000)
  await third.kill('SIGTERM')
  expect(third.exitCode).toBe(0)
  expect(await valuesOf('moved')).toEqual(counted(4_000))
})

test('a topic by template: the position has a topic of its own, and what can’t be placed is a dead letter', {
  timeout: 120_000,
}, async () => {
  await kafka.createTopic('positions')
  await kafka.createTopic('t-a')
  const source = await openSource(installation, 'templates', 'kafka-ingress')
  await source.append(['a:0', 'nowhere:1', 'a:2'])
  await using instance = instanceOf(installation, 'templates')
  await instance.assign(actorOf('templates', 1))
  await behind('templates', 3)
  expect(await valuesOf('t-a')).toEqual(['a:0', 'a:2'])
})

/** Delivers the lane with its position under this topic: until it is drained, or has committed in Kafka alone. */
async function own(positionTopic: string, epoch: number, end: 'killed' | 'drained'): Promise<void> {
  const [stop, draining] = [new AbortController(), new AbortController()]
  const [broker, more] = [kafka.brokers.join(), `, positionTopic: ${positionTopic}`]
  const sink = await openExactlyOnce({ broker, topic: 'c-${record.key}', more, uid: 'CHANGED' })
  const commit = sink.commit.bind(sink)
  sink.commit = async position => {
    const outcome = await commit(position)
    if (end === 'killed') stop.abort()
    return outcome
  }
  const delivered = deliver({
    bus: await installation.connect('kafka-egress'),
    lane: { service: 'kafka-ingress', route: 'changed', lane: '0' },
    sinkService: 'kafka-egress',
    uid: 'CHANGED',
    epoch,
    sink,
    signal: stop.signal,
    draining: draining.signal,
    state() {},
    counts: { out: 0, dead: 0, filtered: 0, pending: 0 },
  })
  if (end === 'drained') await behind('changed', 20).finally(() => draining.abort())
  await delivered
}

test('a route with another positionTopic goes on where its killed owner was, by the topic before', {
  timeout: 120_000,
}, async () => {
  for (const topic of ['c-k', 'before', 'after']) await kafka.createTopic(topic)
  await installation.route('changed')
  const source = await openSource(installation, 'changed', 'kafka-ingress')
  await count(source, { from: 0, to: 10 })
  await own('before', 1, 'killed')
  await behind('changed', 0)
  await count(source, { from: 10, to: 20 })
  await own('after', 2, 'drained')
  expect(await valuesOf('c-k')).toEqual(counted(20))
})

test('a topic that the route makes is there before the first transaction', { timeout: 120_000 }, async () => {
  const source = await openSource(installation, 'missing', 'kafka-ingress')
  await source.append(['a:0', 'a:1'])
  await using instance = instanceOf(installation, 'missing')
  await instance.assign(actorOf('missing', 1))
  await behind('missing', 2)
  expect(await valuesOf('missing')).toEqual(['a:0', 'a:1'])
})
