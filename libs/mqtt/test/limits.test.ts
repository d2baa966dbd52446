/** What a publisher does not send: more than the broker can take, and what nobody wants any more. */
import { eventually, noLeaks } from '@millrace/testkit'
import type { IConnackPacket, IPublishPacket } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { answer, answering, isPublish, payloads, records } from './answering.ts'
import { add, publisherTo } from './publishing.ts'
import { accepted, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

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

  test('QoS 2 that the broker lowers is not sent one at a time', async () => {
    const waiting: IPublishPacket[] = []
    const properties = { maximumQoS: 1 }
    await using broker = await answering(
      (client, publish) => {
        waiting.push(publish)
        if (waiting.length === 3) for (const one of waiting) answer(client, one)
      },
      { ...accepted, properties },
    )
    const publisher = publisherTo(broker.port)
    add(publisher, ...['a', 'b', 'c'].map(value => ({ topic: 't', value, qos: 2 as const })))
    expect(await publisher.deliver()).toMatchObject({ is: 'done' })
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

describe('a broker that takes what is published and does not answer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is lost after half a minute of silence', async () => {
    await using broker = await answering(() => {})
    const publisher = publisherTo(broker.port, { keepAlive: 600 })
    add(publisher, ...records('a', 'b'))
    const attempt = publisher.deliver()
    await eventually(() => payloads(broker).length === 2, { what: 'both sent' })
    vi.advanceTimersByTime(30_000)
    expect(await attempt).toMatchObject({ is: 'unknown', problem: { code: 'broker_unreachable' } })
    await publisher.close()
  })

  test('for long, and then something, is waited for', async () => {
    await using broker = await startScriptedBroker((client, { cmd }) => {
      if (cmd === 'connect') client.send(accepted)
    })
    const publisher = publisherTo(broker.port, { keepAlive: 600 })
    add(publisher, { topic: 't', value: 'a', qos: 2 })
    const attempt = publisher.deliver()
    await eventually(() => payloads(broker).length === 1, { what: 'it sent' })
    const [client] = broker.clients
    vi.advanceTimersByTime(15_000)
    client?.send({ cmd: 'pubrec', messageId: 1, reasonCode: 0 })
    await eventually(() => client?.all('pubrel').length === 1, { what: 'PUBREL' })
    vi.advanceTimersByTime(15_000)
    client?.send({ cmd: 'pubcomp', messageId: 1, reasonCode: 0 })
    expect(await attempt).toMatchObject({ is: 'done' })
    await publisher.close()
  })
})
