/** What a publisher makes of a broker's answers, of answers that are lost, and of none. */
import { eventually, noLeaks } from '@millrace/testkit'
import type { IPublishPacket } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { add, publisherTo } from './publishing.ts'
import { answer, answering, payloads, records } from './answering.ts'
import { accepted, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

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
  // The last is of QoS 0: done when the system has it.
  await eventually(() => payloads(broker).length === values.length, { what: 'all' })
  expect(most).toBeLessThanOrEqual(3)
  expect(payloads(broker)).toEqual(values)
  await publisher.close()
})

test('what is of a lower QoS waits for the QoS 2 before it', async () => {
  const order: string[] = []
  await using broker = await startScriptedBroker((client, packet) => {
    const messageId = packet.messageId ?? 0
    if (packet.cmd === 'connect') client.send(accepted)
    if (packet.cmd === 'publish' && packet.qos < 2) order.push(String(packet.payload))
    if (packet.cmd === 'publish') setImmediate(() => answer(client, packet))
    // Passed on when it is released, as mosquitto does.
    if (packet.cmd === 'pubrel') order.push(`2 ${messageId}`)
    if (packet.cmd === 'pubrel') client.send({ cmd: 'pubcomp', messageId, reasonCode: 0 })
  })
  const publisher = publisherTo(broker.port)
  add(publisher, ...([2, 2, 1, 0, 2, 1] as const).map((qos, n) => ({ topic: 't', value: `${qos} ${n + 1}`, qos })))
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  expect(order).toEqual(['2 1', '2 2', '1 3', '0 4', '2 5', '1 6'])
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

test.each([
  [false, { is: 'refused', refusals: [{ index: 2, code: 'too_large' }] }],
  [true, { is: 'refused', refusals: [{ index: 2, code: 'too_large' }] }],
])(
  'a PUBLISH over which the broker ends the connection is found and refused, the others pass (QoS 2: %s)',
  async (isQoS2, outcome) => {
    await using broker = await answering((client, publish) => {
      if (String(publish.payload) === 'c') client.send({ cmd: 'disconnect', reasonCode: 0x95 })
      else setImmediate(() => answer(client, publish))
    })
    const publisher = publisherTo(broker.port)
    add(
      publisher,
      ...records('a', 'b', 'c', 'd').map(record => ({ ...record, qos: isQoS2 ? (2 as const) : (1 as const) })),
    )
    const outcomes = [await publisher.deliver()]
    while (outcomes.at(-1)?.is === 'unknown') outcomes.push(await publisher.deliver())
    expect(outcomes.at(-1)).toMatchObject(outcome)
    expect(outcomes.length).toBeLessThanOrEqual(4)
    expect(new Set(payloads(broker))).toEqual(new Set(['a', 'b', 'c', 'd']))
    expect(payloads(broker).at(-1)).toBe('d')
    await publisher.close()
  },
)

test('a connection that is ended for another reason is held against no PUBLISH', async () => {
  await using broker = await answering((client, publish) => {
    if (broker.clients.length < 4) client.send({ cmd: 'disconnect', reasonCode: 0x8a })
    else answer(client, publish)
  })
  const publisher = publisherTo(broker.port)
  add(publisher, ...records('a'))
  for (let n = 0; n < 3; n++) expect(await publisher.deliver()).toMatchObject({ is: 'unknown' })
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  await publisher.close()
})

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
