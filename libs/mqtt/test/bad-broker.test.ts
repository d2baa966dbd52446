import { eventually, noLeaks } from '@millrace/testkit'
import type { Packet } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { connect, encodePublish } from '../src/index.ts'
import { connected, options, Receiver, refusal } from './connecting.ts'
import { accepted, type Client, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

const publish = (packetId: number) =>
  encodePublish({ topic: 't', payload: Buffer.from(`${packetId}`), qos: 1, packetId })

/** Answers CONNECT, and sends something right behind CONNACK. */
const greeting =
  (...packets: (Packet | Buffer)[]) =>
  (client: Client, packet: Packet) => {
    if (packet.cmd === 'connect') client.send(accepted, ...packets)
  }

describe('what breaks the protocol ends the connection with a DISCONNECT that says why, and nothing else', () => {
  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 0x81],
    ['QoS 3', Buffer.of(0x36, 6, 0, 1, 0x74, 0, 1, 0), 0x81],
    ['a length of five bytes', Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff), 0x81],
    ['an unsolicited topic alias', Buffer.of(0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 1), 0x94],
    ['a topic alias of 0', Buffer.of(0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 0), 0x94],
    ['an alias without a topic', Buffer.of(0x30, 6, 0, 0, 3, 0x23, 0, 1), 0x94],
    ['truncated properties', Buffer.of(0x30, 5, 0, 1, 0x74, 9, 1), 0x81],
    ['packet type 0', Buffer.of(0, 0), 0x81],
    ['a PUBREL with wrong flags', Buffer.of(0x60, 2, 0, 1), 0x81],
    ['a second CONNACK', Buffer.of(0x20, 3, 0, 0, 0), 0x82],
    ['a SUBSCRIBE', Buffer.of(0x82, 7, 0, 1, 0, 0, 1, 0x74, 0), 0x82],
    ['an AUTH', Buffer.of(0xf0, 2, 0x18, 0), 0x82],
  ])('%s', async (_, bytes, reasonCode) => {
    await using broker = await startScriptedBroker(greeting(bytes))
    const session = await connected(broker.port)
    session.start(() => 1)
    expect(await session.closed).toMatchObject({ is: 'protocol', problem: { code: 'protocol_error' } })
    const [client] = broker.clients
    await eventually(() => client?.closed, { what: 'closed' })
    expect(client?.received.map(packet => packet.cmd)).toEqual(['connect', 'disconnect'])
    expect(client?.received[1]).toMatchObject({ reasonCode })
  })

  test('a Receive Maximum of 0 in CONNACK', async () => {
    await using broker = await startScriptedBroker(client => client.send(Buffer.of(0x20, 6, 0, 0, 3, 0x21, 0, 0)))
    expect(await refusal(broker.port)).toMatchObject({ is: 'protocol' })
  })

  test('a PUBLISH before CONNACK', async () => {
    await using broker = await startScriptedBroker(client => client.send(publish(1)))
    expect(await refusal(broker.port)).toMatchObject({ is: 'protocol' })
  })
})

describe('a refused CONNACK says the name of its code, and whether it may pass later', () => {
  test.each([
    [0x01, 'does not speak MQTT v5', false],
    [0x84, 'Unsupported protocol version (0x84)', false],
    [0x85, 'Client identifier not valid (0x85)', false],
    [0x86, 'Bad user name or password (0x86)', false],
    [0x87, 'Not authorized (0x87)', false],
    [0x89, 'Server busy (0x89)', true],
    [0x97, 'Quota exceeded (0x97)', true],
    [0xfe, 'Unknown reason code (0xFE)', true],
  ])('%i', async (code, name, mayPassLater) => {
    await using broker = await startScriptedBroker(client => client.send(Buffer.of(0x20, 3, 0, code, 0)))
    const ending = await refusal(broker.port)
    expect(ending).toMatchObject({ is: 'refused', mayPassLater, problem: { code: 'broker_refused' } })
    expect(JSON.stringify(ending)).toContain(name)
  })

  test('a broker of 3.1.1, whose CONNACK has no properties', async () => {
    await using broker = await startScriptedBroker(client => client.send(Buffer.of(0x20, 2, 0, 1)))
    expect(await refusal(broker.port)).toMatchObject({ is: 'refused', mayPassLater: false })
  })
})

test('CONNECT asks to keep the session, and never limits the size of packets', async () => {
  await using broker = await startScriptedBroker(greeting())
  const session = await connected(broker.port, { clientId: 'c', username: 'u', password: 'p' })
  const [connect] = broker.clients[0]?.received ?? []
  expect(connect).toMatchObject({ cmd: 'connect', protocolVersion: 5, clean: false, clientId: 'c', keepalive: 30 })
  expect(connect).toMatchObject({ username: 'u', password: Buffer.from('p') })
  expect(connect).toHaveProperty('properties', { sessionExpiryInterval: 600, receiveMaximum: 100 })
  await session.disconnect('keep')
  expect(await session.closed).toEqual({ is: 'ended' })
})

test('a session expiry that the broker lowers is told', async () => {
  await using broker = await startScriptedBroker(client =>
    client.send({ ...accepted, properties: { sessionExpiryInterval: 60 } }),
  )
  const session = await connected(broker.port)
  expect(session.sessionExpiry).toBe(60)
  await session.disconnect('keep')
})

test('what comes right behind CONNACK waits for its receiver', async () => {
  await using broker = await startScriptedBroker(greeting(publish(1), publish(2)))
  const session = await connected(broker.port)
  const receiver = new Receiver()
  // Time enough for the broker to send on.
  await eventually(() => broker.clients[0]?.received.length === 1, { what: 'connected' })
  session.start(receiver.receive)
  await eventually(() => receiver.payloads.length === 2, { what: 'both received' })
  session.acknowledge(2)
  await session.disconnect('keep')
  expect(broker.clients[0]?.received.map(packet => packet.cmd)).toEqual(['connect', 'puback', 'puback', 'disconnect'])
})

test('what is held is offered again, and nothing behind it is lost', async () => {
  await using broker = await startScriptedBroker(greeting(...[1, 2, 3].map(publish)))
  const session = await connected(broker.port)
  const receiver = new Receiver()
  receiver.room = 1
  session.start(receiver.receive)
  await eventually(() => receiver.payloads.length === 1, { what: 'the first one' })
  broker.clients[0]?.send(publish(4))
  receiver.room = 2
  session.resume()
  expect(receiver.payloads).toEqual(['1', '2'])
  receiver.room = 9
  session.resume()
  await eventually(() => receiver.payloads.length === 4, { what: 'all' })
  expect(receiver.payloads).toEqual(['1', '2', '3', '4'])
  await session.disconnect('keep')
})

test('what comes beyond the Receive Maximum is held until there are acknowledgements, as mosquitto makes necessary', async () => {
  await using broker = await startScriptedBroker(greeting(...[1, 2, 3, 4, 5].map(publish)))
  const session = await connected(broker.port, { receiveMaximum: 2 })
  const receiver = new Receiver()
  session.start(receiver.receive)
  await eventually(() => receiver.payloads.length === 2, { what: 'as many as allowed' })
  session.acknowledge(1)
  expect(receiver.payloads).toEqual(['1', '2', '3'])
  session.acknowledge(3)
  expect(receiver.payloads).toEqual(['1', '2', '3', '4', '5'])
  session.acknowledge(5)
  await session.disconnect('keep')
  expect(broker.clients[0]?.all('puback').map(packet => packet.messageId)).toEqual([1, 2, 3, 4, 5])
})

test('a DISCONNECT with 0x8E says that the session was taken over; with 0x8B the connection is lost', async () => {
  for (const [reasonCode, is] of [
    [0x8e, 'takenOver'],
    [0x8b, 'lost'],
    [0x87, 'refused'],
  ] as const) {
    await using broker = await startScriptedBroker(greeting({ cmd: 'disconnect', reasonCode }))
    const session = await connected(broker.port)
    session.start(() => 1)
    expect(await session.closed).toMatchObject({ is, problem: { code: 'broker_disconnected' } })
  }
})

test('PUBREL is answered at once, also for an identifier that this connection never saw', async () => {
  await using broker = await startScriptedBroker(greeting({ cmd: 'pubrel', messageId: 77, reasonCode: 0 }))
  const session = await connected(broker.port)
  session.start(() => 1)
  await eventually(() => broker.clients[0]?.all('pubcomp').length === 1, { what: 'PUBCOMP' })
  expect(broker.clients[0]?.all('pubcomp')).toMatchObject([{ messageId: 77 }])
  await session.disconnect('keep')
})

test('a burst of acknowledgements does not outlive its connection', async () => {
  await using broker = await startScriptedBroker(greeting(publish(1)))
  const first = await connected(broker.port)
  first.start(new Receiver().receive)
  broker.clients[0]?.end()
  expect(await first.closed).toMatchObject({ is: 'lost' })
  const second = await connected(broker.port)
  let ordinal = 1
  second.start(() => ++ordinal)
  first.acknowledge(1)
  second.acknowledge(1)
  await second.disconnect('keep')
  expect(broker.clients.flatMap(client => client.all('puback'))).toEqual([])
})

test('what the receiver throws comes out of `closed`, and the connection is gone', async () => {
  await using broker = await startScriptedBroker(greeting(publish(1)))
  const session = await connected(broker.port)
  session.start(() => {
    throw new TypeError('a defect')
  })
  await expect(session.closed).rejects.toThrow('a defect')
  await eventually(() => broker.clients[0]?.closed, { what: 'closed' })
})

test('what a SUBACK refuses or lowers is told', async () => {
  await using broker = await startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(accepted)
    if (packet.cmd === 'subscribe') {
      client.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1, 0, 0x87] })
    }
  })
  const session = await connected(broker.port)
  session.start(() => 1)
  const filters = ['a', 'b', 'c'].map(filter => ({ filter, qos: 1, retained: 'skip' }) as const)
  expect(await session.subscribe(filters)).toEqual([
    { code: 'qos_0_granted', message: 'The broker grants QoS 0 for "b", not QoS 1.' },
    {
      code: 'subscription_refused',
      message: 'The broker refused the subscription to "c": Not authorized (0x87).',
    },
  ])
  await session.disconnect('keep')
})

describe('keepalive', () => {
  test('a broker that is silent for one and a half keepalives is lost', async () => {
    await using broker = await startScriptedBroker(greeting())
    const session = await connected(broker.port, { keepAlive: 1 })
    session.start(() => 1)
    const begun = performance.now()
    const ending = await session.closed
    expect(ending).toMatchObject({ is: 'lost', problem: { code: 'broker_unreachable' } })
    expect(JSON.stringify(ending)).toContain('keepalive')
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  test("the broker's own keepalive counts where it is shorter", async () => {
    await using broker = await startScriptedBroker((client, packet) => {
      if (packet.cmd === 'connect') client.send({ ...accepted, properties: { serverKeepAlive: 1 } })
      if (packet.cmd === 'pingreq') client.send({ cmd: 'pingresp' })
    })
    const session = await connected(broker.port, { keepAlive: 600 })
    session.start(() => 1)
    const begun = performance.now()
    await eventually(() => (broker.clients[0]?.all('pingreq').length ?? 0) >= 2, { what: 'two pings' })
    expect(performance.now() - begun).toBeLessThan(2_000)
    await session.disconnect('keep')
  })

  test('while a packet is held pings are sent, and silence does not count', async () => {
    await using broker = await startScriptedBroker(greeting(publish(1)))
    const session = await connected(broker.port, { keepAlive: 1 })
    const receiver = new Receiver()
    receiver.room = 0
    session.start(receiver.receive)
    // Six pings are three keepalives without a byte from the broker.
    await eventually(() => (broker.clients[0]?.all('pingreq').length ?? 0) >= 6, { what: 'six pings' })
    receiver.room = 1
    session.resume()
    expect(receiver.payloads).toEqual(['1'])
    await session.disconnect('keep')
    expect(await session.closed).toEqual({ is: 'ended' })
  })
})

test('a broker that takes the connection and says nothing is given up when the signal aborts', async () => {
  await using broker = await startScriptedBroker(() => {})
  const stop = new AbortController()
  const attempt = connect(options(broker.port), stop.signal)
  await eventually(() => broker.clients[0]?.received.length === 1, { what: 'CONNECT' })
  stop.abort()
  expect(await attempt).toEqual({ is: 'ended' })
  await eventually(() => broker.clients[0]?.closed, { what: 'closed' })
})

test('the signal drops a connection without DISCONNECT, also one that has aborted before', async () => {
  await using broker = await startScriptedBroker(greeting())
  const stop = new AbortController()
  const attempt = await connect(options(broker.port), stop.signal)
  stop.abort()
  expect(attempt.is === 'connected' && (await attempt.session.closed)).toEqual({ is: 'ended' })
  expect(await connect(options(broker.port), stop.signal)).toEqual({ is: 'ended' })
  await eventually(() => broker.clients.every(client => client.closed), { what: 'closed' })
  expect(broker.clients.flatMap(client => client.all('disconnect'))).toEqual([])
})
