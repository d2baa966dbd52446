import { eventually, type Mosquitto, noLeaks, startMosquitto, startProxy } from '@millrace/testkit'
import { emptyView, HeaderWriter, recordOf } from '@millrace/record'
import { connectAsync, type IClientPublishOptions } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Session, type Subscription, toRecord } from '../src/index.ts'
import { connected, Receiver, refusal } from './connecting.ts'

noLeaks()

let broker: Mosquitto
beforeAll(async () => {
  broker = await startMosquitto()
})
afterAll(() => broker[Symbol.asyncDispose]())

const subscription = (filter: string, changed: Partial<Subscription> = {}): Subscription => ({
  filter,
  qos: 1,
  retained: 'include',
  ...changed,
})

type Message = [topic: string, payload: string | Buffer, options?: IClientPublishOptions]

/**
 * Publishes with MQTT.js; every message is acknowledged before this resolves. As many at a time as mosquitto's Receive
 * Maximum: MQTT.js takes no heed of it, and mosquitto loses what comes beyond with QoS 2.
 */
async function publish(...messages: Message[]): Promise<void> {
  const client = await connectAsync(broker.url, { protocolVersion: 5 })
  for (let from = 0; from < messages.length; from += 20) {
    const some = messages.slice(from, from + 20)
    await Promise.all(some.map(([topic, payload, more]) => client.publishAsync(topic, payload, { qos: 1, ...more })))
  }
  await client.endAsync()
}

const numbered = (topic: string, from: number, to: number): Message[] =>
  Array.from({ length: to - from + 1 }, (_, n) => [topic, `${from + n}`])

/** Ends a test's session, so that the broker does not keep it. */
const forget = (session: Session) => session.disconnect('end')

test('what MQTT.js publishes comes as a record with everything that was sent', async () => {
  const session = await connected(broker.port, { clientId: 'all-properties' })
  const view = emptyView()
  const headers = new HeaderWriter()
  const records: ReturnType<typeof recordOf>[] = []
  session.start(packet => {
    toRecord(packet, 1000, headers, view)
    return records.push(recordOf(view))
  })
  expect(await session.subscribe([subscription('all/#', { qos: 2 })])).toEqual([])
  const properties = {
    payloadFormatIndicator: true,
    messageExpiryInterval: 100,
    contentType: 'text/plain',
    responseTopic: 'answer',
    correlationData: Buffer.of(0, 200, 255),
    userProperties: { a: ['1', '2'], 'mqtt.topic': 'mine' },
  }
  await publish(
    ['all/a b/*/>/ü', 'x', { qos: 2, properties }],
    ['all/1', Buffer.of(), { qos: 0 }],
    ['all/2', Buffer.alloc(5_000_000, 'big'), { qos: 1, retain: true }],
  )
  await eventually(() => records.length === 3, { what: 'three records' })
  session.acknowledge(3)
  await publish(['all/2', '', { retain: true }])
  await forget(session)
  const find = (topic: string) => records.find(({ headers }) => headers[0]?.[1]?.toString() === topic)
  expect(find('all/a b/*/>/ü')?.headers.map(([name, value]) => [name, value?.toString('latin1')])).toEqual([
    ['mqtt.topic', Buffer.from('all/a b/*/>/ü').toString('latin1')],
    ['mqtt.qos', '2'],
    ['mqtt.payload-format', '1'],
    ['mqtt.content-type', 'text/plain'],
    ['mqtt.response-topic', 'answer'],
    ['mqtt.correlation-data', '\x00\xc8\xff'],
    ['mqtt.expires-at', '101000'],
    ['a', '1'],
    ['a', '2'],
    ['user.mqtt.topic', 'mine'],
  ])
  expect(find('all/1')?.value).toEqual(Buffer.of())
  expect(find('all/2')?.value?.equals(Buffer.alloc(5_000_000, 'big'))).toBe(true)
  expect(find('all/2')?.headers[2]?.[0]).toBe('mqtt.retain')
})

test('3,000 messages of QoS 1, 2 and 1 come in the order in which they were sent, at most 20 unacknowledged', async () => {
  const session = await connected(broker.port, { clientId: 'in-order', receiveMaximum: 20 })
  const receiver = new Receiver()
  session.start(packet => {
    const ordinal = receiver.receive(packet)
    setImmediate(() => session.acknowledge(ordinal ?? 0))
    return ordinal
  })
  await session.subscribe([subscription('order', { qos: 2 })])
  await publish(...numbered('order', 1, 1_000))
  await publish(...numbered('order', 1_001, 2_000).map(([topic, payload]): Message => [topic, payload, { qos: 2 }]))
  await publish(...numbered('order', 2_001, 3_000))
  await eventually(() => receiver.payloads.length === 3_000, { what: 'all' })
  expect(receiver.payloads).toEqual(Array.from({ length: 3_000 }, (_, n) => `${n + 1}`))
  await forget(session)
})

describe.each([1, 2] as const)('a session of QoS %i that is kept over a cut connection', qos => {
  test('brings exactly what was not acknowledged again, in order, and no stale acknowledgement disturbs it', async () => {
    const clientId = `cut-${qos}`
    const topic = `cut/${qos}`
    await using proxy = await startProxy(broker.port)
    const first = await connected(proxy.port, { clientId, receiveMaximum: 10 })
    const before = new Receiver()
    first.start(before.receive)
    await first.subscribe([subscription(topic, { qos })])
    await publish(...numbered(topic, 1, 15).map(([topic, payload]): Message => [topic, payload, { qos }]))
    await eventually(() => before.payloads.length === 10, { what: 'as many as the Receive Maximum' })
    first.acknowledge(4)
    await eventually(() => before.payloads.length === 14, { what: 'as many more as were acknowledged' })
    proxy.cut()
    expect(await first.closed).toMatchObject({ is: 'lost', problem: { code: 'broker_unreachable' } })

    const second = await connected(proxy.port, { clientId, receiveMaximum: 20 })
    expect(second.sessionPresent).toBe(true)
    const after = new Receiver()
    let ordinal = 100
    second.start(packet => {
      after.receive(packet)
      return ++ordinal
    })
    await eventually(() => after.payloads.length === 11, { what: 'the eleven' })
    // Late ones of the first connection, on both.
    first.acknowledge(14)
    second.acknowledge(14)
    await second.disconnect('keep')

    const third = await connected(proxy.port, { clientId, receiveMaximum: 20 })
    const last = new Receiver()
    third.start(last.receive)
    await eventually(() => last.payloads.length === 11, { what: 'the eleven once more' })
    expect(after.payloads.map(payload => payload.replace('D', ''))).toEqual(numbered('', 5, 15).map(([, n]) => n))
    expect(after.payloads.slice(0, 10).every(payload => payload.endsWith('D'))).toBe(true)
    expect(last.payloads.map(payload => payload.replace('D', ''))).toEqual(numbered('', 5, 15).map(([, n]) => n))
    await forget(third)
  })
})

test('a second connection takes the session over from the first', async () => {
  const first = await connected(broker.port, { clientId: 'twice' })
  first.start(() => 1)
  const second = await connected(broker.port, { clientId: 'twice' })
  expect(second.sessionPresent).toBe(true)
  // mosquitto 2.0 just closes, without the DISCONNECT that says why.
  expect((await first.closed).is).toBeOneOf(['takenOver', 'lost'])
  await forget(second)
})

test('a session that was ended is not present any more; one that was kept is', async () => {
  const clientId = 'ended'
  const first = await connected(broker.port, { clientId })
  expect(first.sessionPresent).toBe(false)
  await first.disconnect('keep')
  const second = await connected(broker.port, { clientId })
  expect(second.sessionPresent).toBe(true)
  await second.disconnect('end')
  const third = await connected(broker.port, { clientId })
  expect(third.sessionPresent).toBe(false)
  await forget(third)
})

test('retained messages come once, when the subscription is new, and never where they are skipped', async () => {
  await publish(['kept/1', 'retained', { retain: true }])
  const received = new Receiver()
  for (const [n, retained] of (['include', 'include', 'skip'] as const).entries()) {
    const session = await connected(broker.port, { clientId: 'retained' })
    session.start(received.receive)
    await session.subscribe([subscription('kept/#', { retained })])
    await publish(['kept/2', `${n}`])
    await eventually(() => received.payloads.at(-1) === `${n}`, { what: 'what is new' })
    session.acknowledge(received.payloads.length)
    await session.disconnect('keep')
  }
  const other = await connected(broker.port, { clientId: 'retained-other' })
  other.start(received.receive)
  await other.subscribe([subscription('kept/#', { retained: 'skip' })])
  await publish(['kept/2', 'last'])
  await eventually(() => received.payloads.at(-1) === 'last', { what: 'what is new' })
  expect(received.payloads).toEqual(['retained', '0', '1', '2', 'last'])
  await forget(other)
  await forget(await connected(broker.port, { clientId: 'retained' }))
  await publish(['kept/1', '', { retain: true }])
})

test('members of a shared subscription get each message once between them', async () => {
  const receivers = [new Receiver(), new Receiver()]
  const sessions: Session[] = []
  for (const [n, receiver] of receivers.entries()) {
    const session = await connected(broker.port, { clientId: `member-${n}`, receiveMaximum: 1_000 })
    session.start(receiver.receive)
    expect(await session.subscribe([subscription('$share/plant-route/shared/+')])).toEqual([])
    sessions.push(session)
  }
  await publish(...numbered('shared/1', 1, 100))
  const all = () => receivers.flatMap(({ payloads }) => payloads)
  await eventually(() => all().length >= 100, { what: 'all' })
  expect(all().sort((a, b) => Number(a) - Number(b))).toEqual(numbered('', 1, 100).map(([, n]) => n))
  expect(receivers.every(({ payloads }) => payloads.length > 0)).toBe(true)
  await Promise.all(sessions.map(forget))
})

test('an ended subscription brings nothing any more', async () => {
  const session = await connected(broker.port, { clientId: 'unsubscribed' })
  const receiver = new Receiver()
  session.start(receiver.receive)
  await session.subscribe([subscription('old'), subscription('new')])
  await session.unsubscribe(['old', 'never-subscribed'])
  await publish(['old', 'old'], ['new', 'new'])
  await eventually(() => receiver.payloads.length > 0, { what: 'the new one' })
  expect(receiver.payloads).toEqual(['new'])
  await forget(session)
})

test('while a packet is held for longer than two keepalives the broker keeps the connection', async () => {
  const session = await connected(broker.port, { clientId: 'held', keepAlive: 1 })
  const receiver = new Receiver()
  receiver.room = 0
  session.start(receiver.receive)
  await session.subscribe([subscription('held')])
  await publish(['held', 'x'])
  // mosquitto ends a connection after one and a half keepalives without a packet.
  const held = performance.now()
  const state = await Promise.race([
    session.closed,
    eventually(() => performance.now() - held > 3_500, { what: 'time' }),
  ])
  expect(state).toBe(true)
  receiver.room = 1
  session.resume()
  expect(receiver.payloads).toEqual(['x'])
  session.acknowledge(1)
  await forget(session)
})

test('a half-open connection is lost within two keepalives', async () => {
  await using proxy = await startProxy(broker.port)
  const session = await connected(proxy.port, { clientId: 'half-open', keepAlive: 1 })
  session.start(() => 1)
  proxy.freeze()
  const begun = performance.now()
  expect(await session.closed).toMatchObject({ is: 'lost' })
  expect(performance.now() - begun).toBeLessThan(2_500)
})

test('a broker that is down is lost, and let in again when it is up; without persistence the session is gone', async () => {
  await using other = await startMosquitto({ persistence: false })
  const session = await connected(other.port)
  session.start(() => 1)
  await other.kill()
  expect(await session.closed).toMatchObject({ is: 'lost', problem: { code: 'broker_unreachable' } })
  expect(await refusal(other.port)).toMatchObject({ is: 'lost', problem: { code: 'broker_unreachable' } })
  await other.restart()
  const again = await connected(other.port)
  expect(again.sessionPresent).toBe(false)
  await forget(again)
})
