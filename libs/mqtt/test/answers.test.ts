/** What a publisher makes of a broker's answers, of answers that are lost, and of none. */
import { eventually, noLeaks } from '@millrace/testkit'
import type { IConnackPacket, IPublishPacket, Packet } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { add, publisherTo } from './publishing.ts'
import { accepted, type Client, type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

type Answer = (client: Client, publish: IPublishPacket) => void

/** A broker that lets everybody in, and answers PUBLISH and PUBREL. */
const answering = (answer: Answer, connack: IConnackPacket = accepted): Promise<ScriptedBroker> =>
  startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(connack)
    if (packet.cmd === 'pingreq') client.send({ cmd: 'pingresp' })
    if (packet.cmd === 'publish') answer(client, packet)
    if (packet.cmd === 'pubrel') client.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0, reasonCode: 0 })
  })

/** PUBACK or PUBREC with a reason code. */
const answer = (client: Client, { qos, messageId = 0 }: IPublishPacket, reasonCode = 0) => {
  if (qos > 0) client.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode })
}

const isPublish = (packet: Packet): packet is IPublishPacket => packet.cmd === 'publish'

/** What came over all connections, in order. */
const payloads = (broker: ScriptedBroker): string[] =>
  broker.clients.flatMap(({ received }) => received.filter(isPublish).map(({ payload }) => payload.toString()))

const records = (...values: string[]) => values.map(value => ({ topic: 't', value }))

describe('a reason code', () => {
  test.each([
    [0x00, { is: 'done' }],
    [0x10, { is: 'done' }],
    [0x80, { is: 'hold', problem: { code: 'broker_refused' } }],
    [0x83, { is: 'hold', problem: { code: 'broker_refused' } }],
    [0x87, { is: 'refused', refusals: [{ index: 1, code: 'topic_refused' }] }],
    [0x90, { is: 'refused', refusals: [{ index: 1, code: 'topic_refused' }] }],
    [0x91, { is: 'hold', problem: { code: 'broker_refused' } }],
    [0x95, { is: 'refused', refusals: [{ index: 1, code: 'too_large' }] }],
    [0x97, { is: 'hold', problem: { code: 'broker_refused' } }],
    [0x99, { is: 'refused', refusals: [{ index: 1, code: 'refused' }] }],
    [0xfe, { is: 'hold', problem: { code: 'broker_refused' } }],
  ])('of %i, of PUBACK and of PUBREC', async (code, outcome) => {
    for (const qos of [1, 2] as const) {
      await using broker = await answering((client, publish) =>
        answer(client, publish, String(publish.payload) === 'b' ? code : 0),
      )
      const publisher = publisherTo(broker.port)
      add(publisher, ...records('a', 'b', 'c').map(record => ({ ...record, qos })))
      expect(await publisher.deliver()).toMatchObject(outcome)
      expect(payloads(broker)).toEqual(['a', 'b', 'c'])
      await publisher.close()
    }
  })

  test.each([0x87, 0x90])('of %i holds the lane where all records go to that topic', async code => {
    await using broker = await answering((client, publish) => answer(client, publish, code))
    const publisher = publisherTo(broker.port, { isFixedTopic: true })
    add(publisher, ...records('a'))
    expect(await publisher.deliver()).toMatchObject({ is: 'hold', problem: { code: 'topic_refused' } })
    await publisher.close()
  })
})

test.each([1, 2] as const)(
  'held at QoS %i: the first is tried alone; once it passes, all behind it go out again, in order, and none that was refused',
  async qos => {
    let attempts = 0
    await using broker = await answering((client, publish) => {
      const value = String(publish.payload)
      const code = value === 'c' ? 0x99 : value === 'b' && ++attempts < 3 ? 0x10 : 0
      answer(client, publish, code)
    })
    const publisher = publisherTo(broker.port, { onNoSubscribers: 'hold' })
    add(publisher, ...records('a', 'b', 'c', 'd').map(record => ({ ...record, qos })))
    const held = { is: 'hold', problem: { code: 'no_subscribers' } }
    expect(await publisher.deliver()).toMatchObject(held)
    expect(payloads(broker)).toEqual(['a', 'b', 'c', 'd'])
    expect(await publisher.deliver()).toMatchObject(held)
    expect(payloads(broker)).toEqual(['a', 'b', 'c', 'd', 'b'])
    expect(await publisher.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 2, code: 'refused' }] })
    expect(payloads(broker)).toEqual(['a', 'b', 'c', 'd', 'b', 'b', 'd'])
    await publisher.close()
  },
)

test('no more are on their way than the Receive Maximum allows, and QoS 0 between them is no matter', async () => {
  let onTheirWay = 0
  let most = 0
  const waiting: (() => void)[] = []
  await using broker = await answering(
    (client, publish) => {
      if (publish.qos === 0) return
      most = Math.max(most, ++onTheirWay)
      waiting.push(() => {
        onTheirWay--
        answer(client, publish)
      })
      setImmediate(() => waiting.shift()?.())
    },
    { ...accepted, properties: { receiveMaximum: 3 } },
  )
  const publisher = publisherTo(broker.port)
  const values = Array.from({ length: 100 }, (_, n) => `${n}`)
  add(publisher, ...values.map((value, n) => ({ topic: 't', value, qos: ([0, 1, 2] as const)[n % 3] ?? 0 })))
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(most).toBeLessThanOrEqual(3)
  expect(payloads(broker)).toEqual(values)
  await publisher.close()
})

test('answers in any order: what counts is what is before the first that is not answered', async () => {
  const published: IPublishPacket[] = []
  await using broker = await answering((client, publish) => {
    published.push(publish)
    if (broker.clients.length > 1) answer(client, publish)
    else if (published.length === 4) {
      // The second is never answered.
      for (const index of [3, 0, 2]) answer(client, published[index]!)
      client.end()
    }
  })
  const publisher = publisherTo(broker.port)
  add(publisher, ...records('a', 'b', 'c', 'd'))
  expect(await publisher.deliver()).toMatchObject({ is: 'unknown', problem: { code: 'broker_unreachable' } })
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(payloads(broker)).toEqual(['a', 'b', 'c', 'd', 'b', 'c', 'd'])
  expect(published.every(({ dup }) => !dup)).toBe(true)
  await publisher.close()
})

test('QoS 2 whose PUBREC came and whose connection ended goes out again: the session is gone', async () => {
  await using broker = await startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(accepted)
    if (packet.cmd === 'publish') answer(client, packet)
    if (packet.cmd !== 'pubrel') return
    if (broker.clients.length === 1) client.end()
    else client.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0, reasonCode: 0x92 })
  })
  const publisher = publisherTo(broker.port)
  add(publisher, { topic: 't', value: 'a', qos: 2 })
  expect(await publisher.deliver()).toMatchObject({ is: 'unknown' })
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(payloads(broker)).toEqual(['a', 'a'])
  expect(broker.clients.flatMap(client => client.all('connect'))).toMatchObject([{ clean: true }, { clean: true }])
  await publisher.close()
})

test('more PUBLISHes than there are packet identifiers', async () => {
  await using broker = await answering(answer)
  const publisher = publisherTo(broker.port)
  const values = Array.from({ length: 70_000 }, (_, n) => `${n}`)
  add(publisher, ...records(...values))
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(payloads(broker)).toEqual(values)
  await publisher.close()
})

test('after a lost connection the assignment is asked before the next one', async () => {
  await using broker = await answering((client, publish) => {
    if (broker.clients.length === 1) client.send({ cmd: 'disconnect', reasonCode: 0x8e })
    else answer(client, publish)
  })
  const asked: boolean[] = []
  let isOwner = true
  const mayConnect = (again: boolean) => {
    asked.push(again)
    return isOwner
  }
  const publisher = publisherTo(broker.port, { mayConnect })
  add(publisher, ...records('a'))
  expect(await publisher.deliver()).toMatchObject({ is: 'unknown', problem: { code: 'broker_disconnected' } })
  isOwner = false
  expect(await publisher.deliver()).toMatchObject({ is: 'hold', problem: { code: 'not_owner' } })
  expect(broker.clients).toHaveLength(1)
  isOwner = true
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(asked).toEqual([false, true, true])
  await publisher.close()
})

describe('what the broker can do', () => {
  const limited = (properties: IConnackPacket['properties']) =>
    answering(answer, { ...accepted, ...(properties && { properties }) })

  test('a PUBLISH beyond its Maximum Packet Size is refused, and never sent', async () => {
    await using broker = await limited({ maximumPacketSize: 100 })
    const publisher = publisherTo(broker.port)
    add(publisher, ...records('a', 'b'.repeat(100), 'c'))
    expect(await publisher.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'too_large' }] })
    expect(payloads(broker)).toEqual(['a', 'c'])
    await publisher.close()
  })

  test('QoS 1 in place of 2, and no RETAIN', async () => {
    await using broker = await limited({ maximumQoS: 1, retainAvailable: false })
    const publisher = publisherTo(broker.port)
    add(publisher, { topic: 't', value: 'a', qos: 2, retain: true })
    expect(await publisher.deliver()).toMatchObject({ is: 'done' })
    expect(broker.clients[0]?.all('publish')).toMatchObject([{ qos: 1, retain: false }])
    expect(publisher.limits).toMatchObject({ maximumQos: 1, retain: false })
    await publisher.close()
  })

  test('QoS 0 alone holds a lane that asks for more', async () => {
    await using broker = await limited({ maximumQoS: 0 })
    const publisher = publisherTo(broker.port)
    add(publisher, ...records('a'))
    expect(await publisher.deliver()).toMatchObject({ is: 'hold', problem: { code: 'qos_unsupported' } })
    expect(payloads(broker)).toEqual([])
    await publisher.close()
  })
})

test.each([
  ['drop', { is: 'done', expired: 1 }],
  ['deadLetter', { is: 'refused', expired: 0, refusals: [{ index: 1, code: 'expired' }] }],
] as const)(
  'what expires while the lane holds is not sent any more (%s); the rest says what is left',
  async (onExpired, outcome) => {
    await using broker = await answering((client, publish) => {
      if (broker.clients.length > 1) answer(client, publish)
    })
    const publisher = publisherTo(broker.port, { onExpired })
    const expiresAt = Date.now() + 1_000
    const expiring = (value: string, at: number) => ({
      topic: 't',
      value,
      headers: [['mqtt.expires-at', Buffer.from(`${at}`)]] as [string, Buffer][],
    })
    add(publisher, expiring('a', expiresAt + 3_600_000), expiring('b', expiresAt))
    const first = publisher.deliver()
    await eventually(() => Date.now() > expiresAt, { what: 'its time to pass' })
    broker.clients[0]?.end()
    expect(await first).toMatchObject({ is: 'unknown' })
    expect(await publisher.deliver()).toMatchObject(outcome)
    expect(payloads(broker)).toEqual(['a', 'b', 'a'])
    const left = broker.clients[1]?.received.filter(isPublish)[0]?.properties?.messageExpiryInterval
    expect(left).toBeGreaterThan(3_500)
    expect(left).toBeLessThanOrEqual(3_600)
    await publisher.close()
  },
)

test('answers that nothing waits for end the connection, and nothing counts as delivered by them', async () => {
  await using broker = await answering((client, publish) => {
    if (broker.clients.length === 1) client.send({ cmd: 'puback', messageId: 77, reasonCode: 0 })
    else if (broker.clients.length === 2) client.send({ cmd: 'pubcomp', messageId: publish.messageId ?? 0 })
    else answer(client, publish)
  })
  const publisher = publisherTo(broker.port)
  add(publisher, ...records('a'))
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await publisher.deliver()).toMatchObject({ is: 'unknown', problem: { code: 'protocol_error' } })
  }
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  await publisher.close()
})

test('after close nothing is sent any more', async () => {
  await using broker = await answering(answer)
  const publisher = publisherTo(broker.port)
  await publisher.connect()
  await publisher.close()
  await publisher.close()
  add(publisher, ...records('late'))
  expect(await publisher.deliver()).toMatchObject({ is: 'hold', problem: { code: 'closed' } })
  expect(payloads(broker)).toEqual([])
})
