/**
 * What somebody else writes into our NATS, by mistake or not: an alarm, or a dead letter, and never a crash. Documents
 * that are none are as good as not written: the last good one counts.
 */
import {
  type Bus,
  connectBus,
  type LaneHeader,
  type LaneName,
  laneSubject,
  type NatsUserName,
  positionKey,
  readEnd,
} from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'
import { headers } from '@nats-io/nats-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Calm, startCalm } from './calm.ts'
import { route, together } from './documents.ts'
import { actorOf, arrivedAt, countOf, deadLetters, metricsOf, millrace, untilProblem, untilWell } from './observe.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

const names = ['garbled', 'skipping', 'bare', 'documents']
let whole: Whole
let calm: Calm
let publisher: MqttClient
const strangers: Bus[] = []
beforeAll(async () => {
  whole = await startWhole()
  calm = await startCalm(whole)
  for (const name of names) await whole.kafka.createTopic(name)
  await whole.apply(together(...names.map(name => route(name, { buffer: '16MiB', deadLetters: '4MiB' }))))
  publisher = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
  for (const name of names) {
    await whole.untilRunning(name)
    await publish(name, '0')
    await arrivedAt(whole, { topic: name, count: 1 })
  }
})
afterAll(async () => {
  await publisher?.endAsync(true)
  for (const stranger of strangers) await stranger[Symbol.asyncDispose]()
  await whole?.[Symbol.asyncDispose]()
})

const publish = (name: string, payload: string) => publisher.publishAsync(`${name}/m`, payload, { qos: 1 })
const values = async (topic: string, count: number) =>
  (await arrivedAt(whole, { topic, count })).map(({ value }) => String(value))
const laneOf = (name: string): LaneName => ({ service: 'mqtt-ingress', route: name, lane: '0' })

/** A connection with the rights of a service, whose password somebody else has. */
async function strangerAs(user: NatsUserName): Promise<Bus> {
  const { natsUrl: url, passwords } = whole.fleet
  const { signal } = new AbortController()
  const stranger = await connectBus({ url, user, password: passwords?.[user] ?? '', name: 'stranger', signal })
  strangers.push(stranger)
  return stranger
}

/** Writes a message that follows the lane's end in all, but for what is given. */
async function append(name: string, payload: Buffer, other: Partial<LaneHeader>): Promise<void> {
  const stranger = await strangerAs('mqtt-ingress')
  const end = await readEnd(whole.bus, laneOf(name))
  if (end === undefined) throw new Error(`the lane of ${name} is empty`)
  const header = { ...end, writer: 'stranger', base: end.base + end.count, ...other }
  const encoded = headers()
  encoded.set('mr-epoch', String(header.epoch))
  encoded.set('mr-writer', header.writer)
  encoded.set('mr-base', String(header.base))
  encoded.set('mr-count', String(header.count))
  encoded.set('mr-position', header.position)
  await stranger.js.publish(laneSubject(laneOf(name)), payload, { headers: encoded })
}

describe('a message in a lane that is not ours', () => {
  test('a payload that is no record batch: a dead letter, as it is, and the lane goes on', async () => {
    const garbage = Buffer.from('{"this":"is no record batch"}')
    await append('garbled', garbage, { count: 3 })
    await publish('garbled', '1')
    await publish('garbled', '2')
    expect(await values('garbled', 3)).toEqual(['0', '1', '2'])
    const letters = await deadLetters(whole.bus, 'garbled')
    expect(letters).toMatchObject([{ service: 'kafka-egress', reason: 'bad_batch', count: 3, payload: garbage }])
    expect(letters[0]?.detail).toContain('no record batch')
    await untilWell(whole, 'sink.garbled.0')
    const counted = async () =>
      (await countOf(whole, 'sink.garbled.0', 'out')) === 3 && (await countOf(whole, 'sink.garbled.0', 'dead')) === 3
    await eventually(counted, { what: 'all of it is counted' })
  })

  test('an mr-base that does not follow: the sink stops with an alarm, and delivers nothing that might be wrong', async () => {
    await append('skipping', Buffer.from('x'), { base: 1_000, count: 1 })
    const message = await untilProblem(whole, 'sink.skipping.0', 'lane_gap')
    expect(message).toMatch(/begins after 1000 records; 1 were read/)
    expect((await actorOf(whole, 'sink.skipping.0')).state).toBe('failed')
    expect(await values('skipping', 1)).toEqual(['0'])
  })

  test('none of our headers: both sides stop with an alarm, and what comes waits at the broker', async () => {
    const stranger = await strangerAs('mqtt-ingress')
    await stranger.js.publish(laneSubject(laneOf('bare')), 'hello')
    expect(await untilProblem(whole, 'sink.bare.0', 'lane_conflict')).toContain('not written by Millrace')
    await publish('bare', '1')
    expect(await untilProblem(whole, 'source.bare.0', 'lane_conflict')).toContain('not written by Millrace')
    const { out } = await millrace(whole.fleet, 'status')
    expect(out).toMatch(/bare\/0 sink is failed: .*not written by Millrace/)
  })

  test('a coordinator that begins with such a lane leads nevertheless', async () => {
    process.kill(whole.service('coordinator-1').pid, 'SIGKILL')
    await whole.kafka.createTopic('later')
    await whole.apply(route('later', { buffer: '16MiB', deadLetters: '4MiB' }))
    await whole.untilRunning('later')
    await publish('later', '0')
    expect(await values('later', 1)).toEqual(['0'])
  })

  test('such a route can be discarded, with what waits at the broker, and made anew', async () => {
    expect(await millrace(whole.fleet, 'delete', 'route', 'bare', '--discard', '--yes')).toMatchObject({ code: 0 })
    const gone = async () => (await millrace(whole.fleet, 'get', 'route', 'bare')).code !== 0
    await eventually(gone, { what: 'bare is gone', timeout: 20_000 })
    await whole.apply(route('bare', { buffer: '16MiB', deadLetters: '4MiB' }))
    await whole.untilRunning('bare')
    await publish('bare', '2')
    expect(await values('bare', 2)).toEqual(['0', '2'])
  })
})

const garbage = [
  '',
  'no JSON',
  '[]',
  '{"term":"high","actors":7}',
  `"${'x'.repeat(1_000_000)}"`,
  '{"__proto__":{"term":9}}',
]

describe('documents that are none', () => {
  test('assignment, routes, heartbeat, leader: the last good one counts, and is there again', async () => {
    const stranger = await strangerAs('coordinator')
    const keys = [
      ['mr_assign', 'kafka-egress.1'],
      ['mr_routes', 'current'],
      ['mr_instances', 'mqtt-ingress.1'],
      ['mr_leader', 'leader'],
    ] as const
    for (const [bucket, key] of keys) {
      for (const text of garbage) await stranger.js.publish(`$KV.${bucket}.${key}`, text)
    }
    await publish('documents', 'meanwhile')
    expect(await values('documents', 2)).toEqual(['0', 'meanwhile'])
    const isGood = async ([bucket, key]: (typeof keys)[number]) => {
      const query = { last_by_subj: `$KV.${bucket}.${key}` }
      const message = await whole.bus.call(whole.bus.jsm.streams.getMessage(`KV_${bucket}`, query))
      return message !== null && !garbage.includes(Buffer.from(message.data).toString())
    }
    const allGood = async () => (await Promise.all(keys.map(isGood))).every(Boolean)
    await eventually(allGood, { what: 'good documents are back', timeout: 25_000 })
    await whole.kafka.createTopic('after')
    await whole.apply(route('after', { buffer: '16MiB', deadLetters: '4MiB' }))
    await whole.untilRunning('after')
    await publish('after', '0')
    expect(await values('after', 1)).toEqual(['0'])
  })

  test('a position: the sink stops with an alarm rather than guess', async () => {
    const stranger = await strangerAs('coordinator')
    const key = positionKey({ ...laneOf('documents'), service: 'kafka-egress' })
    for (const text of garbage) await stranger.js.publish(`$KV.mr_positions.${key}`, text)
    await publish('documents', 'last')
    expect(await untilProblem(whole, 'sink.documents.0', 'position_missing')).toContain('documents')
  })

  test('they are counted', async () => {
    expect(await metricsOf(whole, 'coordinator-1')).toMatch(/millrace_coordinator_bad_documents_total [1-9]/)
  })
})

test('nothing of it disturbed another route, and no process died but the one that was killed', async () => {
  await calm.undisturbed()
  expect(whole.events.filter(event => !event.startsWith('coordinator-1'))).toEqual([])
  expect(whole.events.filter(event => event.includes('died'))).toHaveLength(1)
})
