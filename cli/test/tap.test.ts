/** What `millrace tap` shows of a lane, with a sink that a test plays. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import {
  type ActorReport,
  Bucket,
  type Bus,
  connectBus,
  instanceDocument,
  type LaneAppender,
  makeRouteStreams,
  natsUserNames,
  natsUsers,
  openLane,
  serveControl,
} from '@millrace/bus'
import { BatchBuilder, viewOf } from '@millrace/record'
import { bareEnvironment, eventually, type NatsServer, startNats } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Leader } from './leader.ts'
import { examples, main, millrace } from './spawn.ts'

const password = (user: string) => `pw-of-${user}`
const stop = new AbortController()

let nats: NatsServer
let leader: Leader
let sink: Bus
let source: LaneAppender
let sourceBus: Bus
const asked: unknown[] = []
/** What the sink answers, once each; then that it has nothing. */
const answers: (object | Promise<object>)[] = []

beforeAll(async () => {
  const passwords = natsUserNames.map(user => [user, password(user)] as const)
  nats = await startNats({ users: natsUsers(Object.fromEntries(passwords) as Parameters<typeof natsUsers>[0]) })
  leader = await Leader.start(nats.url, password('coordinator'))
  await cli(['apply', '-f', `${examples}/telemetry`])
  const connect = (user: (typeof natsUserNames)[number]) =>
    connectBus({ url: nats.url, user, password: password(user), name: 'test', signal: stop.signal })
  const route = { route: 'telemetry', uid: 'telemetry', maxBytes: 2 ** 24, deadLetters: { maxBytes: 2 ** 20 } }
  await makeRouteStreams(leader.bus, { ...route, replicas: 1 })
  const lane = { service: 'mqtt-ingress', route: 'telemetry', lane: '0' } as const
  sourceBus = await connect('mqtt-ingress')
  source = await openLane({
    bus: sourceBus,
    lane,
    uid: 'telemetry',
    epoch: 1,
    signal: stop.signal,
    start: () => '',
    tell() {},
  })
  sink = await connect('kafka-egress')
  const answer = async (request: unknown) => {
    asked.push(request)
    return answers.shift() ?? { ok: true, samples: [] }
  }
  serveControl(sink, { service: 'kafka-egress', instance: 'a' }, answer, stop.signal)
})
afterAll(async () => {
  stop.abort()
  await leader[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

const cli = (args: string[]) =>
  millrace(args, { env: { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') } })

/** The whole of one `tap`, as the JSON of its lines. */
async function tapped(...more: string[]): Promise<{ shown: unknown[]; err: string; code: number | null }> {
  const { out, err, code } = await cli(['tap', 'telemetry', '-o', 'json', ...more])
  return {
    shown: out
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line)),
    err,
    code,
  }
}

/** Appends a message with these records. */
async function append(...values: string[]): Promise<void> {
  const builder = new BatchBuilder()
  for (const value of values)
    builder.add(viewOf({ timestamp: 5, key: null, value: Buffer.from(value), headers: [['h', Buffer.from('1')]] }))
  await source.append({ payload: builder.finish(), count: values.length, position: 'p' })
}

/** Has the sink's instance say how it goes. */
async function beat(how: Pick<ActorReport, 'state' | 'problem'>): Promise<void> {
  const instance = { startId: 's', beat: 1, version: '0.1.0', term: 5, revision: 1, state: 'running' as const }
  const actors = [{ id: 'sink.telemetry.0', epoch: 1, version: 1, ...how }]
  const instances = new Bucket(sink, 'mr_instances', instanceDocument)
  const revision = (await instances.read('kafka-egress.a'))?.revision ?? 0
  await instances.update('kafka-egress.a', { ...instance, actors }, revision)
}

const storedAs = (value: string) => ({
  stored: { timestamp: 5, key: null, headers: [['h', { text: '1' }]], value: { text: value } },
})

test('a route or a lane that is not there is told', async () => {
  expect(await cli(['tap', 'nothing'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('there is no route nothing'),
  })
  expect(await cli(['tap', 'telemetry', '--lane', '7'])).toMatchObject({
    code: 1,
    err: 'millrace: there is no lane 7; there are: 0\n',
  })
  expect(await cli(['tap', 'telemetry', '--count', '0'])).toMatchObject({ code: 2 })
})

test('where no sink runs, what is stored is shown, and why there is no more', async () => {
  await append('a', 'b', 'c', 'd', 'e')
  const { shown, err, code } = await tapped('--count', '4')
  expect({ code, err }).toEqual({ code: 0, err: 'the sink of lane 0: no instance runs it; see millrace status\n' })
  expect(shown).toEqual(
    ['a', 'b', 'c', 'd'].map((value, record) => ({ lane: '0', message: 2, record, ...storedAs(value) })),
  )
})

test('what the sink tells is laid beside what is stored, record by record; what is gone stands alone', async () => {
  await beat({ state: 'running' })
  asked.length = 0
  const key = Buffer.of(255).toString('base64')
  const delivered = { outcome: 'delivered', to: { topic: 't' }, key, headers: [] }
  const problem = { code: 'no_topic', message: 'None.' }
  answers.push({
    ok: true,
    samples: [
      { sequence: 1, record: 0, outcome: 'filtered' },
      { sequence: 3, record: 0, ...delivered },
      { sequence: 3, record: 1, outcome: 'dead', problem },
    ],
  })
  await append('x', 'y')
  const { shown, err } = await tapped('--count', '3')
  expect(err).toBe('')
  expect(asked).toEqual([{ op: 'tap', actor: 'sink.telemetry.0', after: 3 }])
  const to = { to: { topic: 't' }, key: { hex: 'ff' }, headers: [] }
  expect(shown).toEqual([
    { lane: '0', message: 1, record: 0, sink: { outcome: 'filtered' } },
    { lane: '0', message: 3, record: 0, ...storedAs('x'), sink: { outcome: 'delivered', ...to } },
    { lane: '0', message: 3, record: 1, ...storedAs('y'), sink: { outcome: 'dead', problem: 'no_topic: None.' } },
  ])
})

test('an answer that is not understood is told', async () => {
  answers.push({ ok: false, problem: { code: 'unknown_op', message: 'There is no operation "tap" here.' } })
  const { shown, err } = await tapped('--count', '1')
  expect(err).toBe('the sink of lane 0: There is no operation "tap" here.\n')
  expect(shown).toHaveLength(1)
})

test('a sink that holds is shown with its reason, once, and what waits for it', async () => {
  await beat({ state: 'holding', problem: { code: 'broker_unreachable', message: 'Kafka is away.' } })
  await append('waits')
  const { shown, err } = await tapped('--count', '1')
  expect(err).toBe('the sink of lane 0: holding: Kafka is away.\n')
  expect(shown).toEqual([{ lane: '0', message: 4, record: 0, ...storedAs('waits') }])
  await beat({ state: 'running' })
})

test('Ctrl-C ends it at once, while the sink has nothing to tell', async () => {
  const answered = Promise.withResolvers<object>()
  answers.push(answered.promise)
  asked.length = 0
  const env = { ...bareEnvironment(), MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') }
  const child = spawn(process.execPath, [main, 'tap', 'telemetry'], { env })
  const errors = text(child.stderr)
  await eventually(() => asked.length === 1, { what: 'the sink is asked' })
  child.kill('SIGINT')
  const code = child.exitCode ?? (await once(child, 'exit'))[0]
  expect({ code, errors: await errors }).toEqual({ code: 130, errors: '' })
  answered.resolve({ ok: true, samples: [] })
})

test('what can not be decoded says why: damaged bytes, parts of a large record, a stranger’s message', async () => {
  const newest = async () => (await tapped('--count', '1')).shown
  await source.append({ payload: Buffer.from('junk'), count: 1, position: 'p' })
  expect(await newest()).toMatchObject([{ stored: { problem: expect.stringContaining('no record batch: ') } }])
  await source.append({ payload: Buffer.alloc(1_500_000), count: 1, position: 'p' })
  expect(await newest()).toMatchObject([{ stored: { problem: expect.stringContaining('part 2/2 of a record') } }])
  await sourceBus.call(sourceBus.js.publish('mr.d.mqtt-ingress.telemetry.0', 'x'))
  expect(await tapped()).toMatchObject({ code: 1, err: expect.stringContaining('was not written by Millrace') })
})
