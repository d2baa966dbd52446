/** MQTT 5.0 and 3.1.1, over TCP and WebSocket, against mosquitto. */
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { certificates, eventually, freePort, type Mosquitto, noLeaks, startMosquitto } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Publish } from '../src/index.ts'
import { connected, payloadOf, Receiver, refusal } from './connecting.ts'
import { add, publisherTo } from './publishing.ts'
import { startScriptedBroker } from './scripted-broker.ts'

noLeaks()

let broker: Mosquitto
let webSocketPort: number
beforeAll(async () => {
  webSocketPort = await freePort()
  broker = await startMosquitto({ extra: `listener ${webSocketPort} 127.0.0.1\nprotocol websockets` })
})
afterAll(() => broker[Symbol.asyncDispose]())

const subscription = (filter: string, retained: 'include' | 'skip' = 'include') =>
  ({ filter, qos: 2, retained }) as const

describe.each([
  ['5.0 over TCP', 5, false],
  ['3.1.1 over TCP', 4, false],
  ['5.0 over WebSocket', 5, true],
  ['3.1.1 over WebSocket', 4, true],
] as const)('%s', (name, version, overWebSocket) => {
  const topic = `versions/${version}/${overWebSocket}`
  const options = () => ({ version, clientId: name, receiveMaximum: 1_000, webSocket: overWebSocket ? '/mqtt' : null })
  const port = () => (overWebSocket ? webSocketPort : broker.port)

  test('what is published comes, of each QoS, whole and in order; large payloads too', async () => {
    const session = await connected(port(), options())
    const receiver = new Receiver()
    session.start(receiver.receive)
    expect(await session.subscribe([subscription(topic)])).toEqual([])
    const publisher = publisherTo(port(), { ...options(), clientId: `${name} out` })
    // Over WebSocket mosquitto 2.0 sends a few kilobytes a time, ten times a second.
    const large = 'large'.repeat(overWebSocket ? 500 : 1_000_000)
    const values = [...Array.from({ length: 300 }, (_, n) => `${n}`), large, '']
    add(publisher, ...values.map((value, n) => ({ topic, value, qos: ([1, 2, 0] as const)[n % 3] ?? 0 })))
    expect(await publisher.deliver()).toEqual({ is: 'done', expired: 0 })
    await eventually(() => receiver.payloads.length === values.length, { what: 'all' })
    // A broker keeps order within a QoS only.
    expect(receiver.payloads.toSorted()).toEqual(values.toSorted())
    expect(receiver.payloads.filter(value => Number(value) % 3 === 0)).toEqual(
      values.filter(value => Number(value) % 3 === 0),
    )
    session.acknowledge(values.length)
    await publisher.close()
    await session.disconnect('end')
  })

  test('a session is kept, brings what was not acknowledged, and is gone once it was ended', async () => {
    const first = await connected(port(), options())
    expect(first.sessionPresent).toBe(false)
    const before = new Receiver()
    first.start(before.receive)
    await first.subscribe([subscription(topic)])
    const publisher = publisherTo(port(), { ...options(), clientId: `${name} out` })
    add(publisher, { topic, value: 'a' }, { topic, value: 'b' })
    await publisher.deliver()
    await eventually(() => before.payloads.length === 2, { what: 'both' })
    first.acknowledge(1)
    await first.disconnect('keep')
    const second = await connected(port(), options())
    expect(second.sessionPresent).toBe(true)
    const after = new Receiver()
    second.start(after.receive)
    await eventually(() => after.payloads.length === 1, { what: 'the other one' })
    expect(after.payloads).toEqual(['bD'])
    await second.unsubscribe([topic])
    await second.disconnect('end')
    const third = await connected(port(), options())
    expect(third.sessionPresent).toBe(false)
    await third.disconnect('end')
    await publisher.close()
  })

  test('retained messages are skipped where they are not wanted, and what comes behind them is acknowledged', async () => {
    const publisher = publisherTo(port(), { ...options(), clientId: `${name} out` })
    add(publisher, { topic: `${topic}/kept`, value: 'kept', retain: true })
    await publisher.deliver()
    const session = await connected(port(), { ...options(), receiveMaximum: 1, skipsRetained: true })
    const seen: string[] = []
    const receive = (publish: Publish) => {
      const ordinal = seen.push(payloadOf(publish))
      setImmediate(() => session.acknowledge(ordinal))
      return ordinal
    }
    session.start(receive)
    await session.subscribe([subscription(`${topic}/#`, 'skip')])
    add(publisher, { topic: `${topic}/live`, value: 'live' }, { topic: `${topic}/live`, value: 'more' })
    await publisher.deliver()
    await eventually(() => seen.length === 2, { what: 'what is new' })
    expect(seen).toEqual(['live', 'more'])
    add(publisher, { topic: `${topic}/kept`, value: '', retain: true })
    await publisher.deliver()
    await session.disconnect('end')
    await publisher.close()
  })
})

test('3.1.1: a retained message that a kept session brings before it is subscribed again is skipped, and acknowledged', async () => {
  const retained = Buffer.of(0x33, 6, 0, 1, 0x74, 0, 7, 0x78)
  await using broker = await startScriptedBroker((client, { cmd }) => {
    if (cmd === 'connect') client.send(Buffer.of(0x20, 2, 1, 0), retained)
  })
  const session = await connected(broker.port, { version: 4, skipsRetained: true })
  const receiver = new Receiver()
  session.start(receiver.receive)
  await eventually(() => broker.clients[0]?.all('puback').length === 1, { what: 'PUBACK' })
  expect(receiver.payloads).toEqual([])
  await session.disconnect('keep')
})

test('WebSocket over TLS: trusted by its authority only', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-wss-'))
  const { ca, server } = await certificates(folder)
  const port = await freePort()
  const tlsLines = `cafile ${ca}\ncertfile ${server.cert}\nkeyfile ${server.key}`
  await using secure = await startMosquitto({ extra: `listener ${port} 127.0.0.1\nprotocol websockets\n${tlsLines}` })
  expect(secure.alive).toBe(true)
  const login = { webSocket: '/mqtt', tls: { ca: await readFile(ca, 'utf8'), verify: true } }
  await (await connected(port, login)).disconnect('end')
  const publisher = publisherTo(port, login)
  add(publisher, { topic: 'secure', value: 'x' })
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  await publisher.close()
  const ending = await refusal(port, { webSocket: '/mqtt', tls: { verify: true } })
  expect(ending).toMatchObject({ is: 'lost', problem: { code: 'tls_failed' } })
  expect(await refusal(port, { webSocket: '/mqtt' })).toMatchObject({ is: 'lost' })
  await rm(folder, { recursive: true })
})

test('a server that is no WebSocket for MQTT is told', async () => {
  const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const ending = await refusal(port, { webSocket: '/nowhere' })
  expect(ending).toMatchObject({ is: 'lost', problem: { code: 'broker_unreachable' } })
  expect(JSON.stringify(ending)).toContain('404')
  server.close()
})

test('a refused login says the same in both versions', async () => {
  await using guarded = await startMosquitto({ passwords: { user: 'right' } })
  for (const version of [5, 4] as const) {
    const ending = await refusal(guarded.port, { version, username: 'user', password: 'wrong' })
    expect(ending).toMatchObject({ is: 'refused', mayPassLater: false, problem: { code: 'broker_refused' } })
  }
})
