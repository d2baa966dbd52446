/** Requests that a broker does not answer. */
import { eventually, noLeaks } from '@millrace/testkit'
import type { Packet } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { encodePublish, type Session, SessionClosedError } from '../src/index.ts'
import { connected, Receiver } from './connecting.ts'
import { accepted, type Client, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

const publish = encodePublish({ topic: 't', payload: Buffer.from('1'), qos: 1, packetId: 1 })
const subscription = { filter: 't', qos: 1, retained: 'skip' } as const

test('a request that the broker never answers fails with its connection', async () => {
  await using broker = await startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(accepted)
    if (packet.cmd === 'subscribe') client.end()
  })
  const session = await connected(broker.port)
  session.start(() => 1)
  await expect(session.subscribe([subscription])).rejects.toBeInstanceOf(SessionClosedError)
  await expect(session.subscribe([subscription])).rejects.toBeInstanceOf(SessionClosedError)
})

describe('a broker that answers pings, and a request never', () => {
  /** Lets everybody in, sends something, and answers pings. */
  const pinging =
    (...packets: Buffer[]) =>
    (client: Client, packet: Packet) => {
      if (packet.cmd === 'connect') client.send(accepted, ...packets)
      if (packet.cmd === 'pingreq') client.send({ cmd: 'pingresp' })
    }

  test.concurrent.each([
    ['SUBSCRIBE', (session: Session) => session.subscribe([subscription])],
    ['UNSUBSCRIBE', (session: Session) => session.unsubscribe(['t'])],
  ])('is lost 10 s after %s', async (name, ask) => {
    await using broker = await startScriptedBroker(pinging())
    const session = await connected(broker.port, { keepAlive: 5 })
    session.start(() => 1)
    const begun = performance.now()
    await expect(ask(session)).rejects.toBeInstanceOf(SessionClosedError)
    expect(performance.now() - begun).toBeGreaterThanOrEqual(9_999)
    const message = `No connection to the MQTT broker 127.0.0.1:${broker.port}: it has not answered ${name} in 10 s.`
    expect(await session.closed).toEqual({ is: 'lost', problem: { code: 'broker_unreachable', message } })
  })

  test.concurrent('is waited for while a packet is held, for its answer may stand behind that', async () => {
    await using broker = await startScriptedBroker(pinging(publish))
    const session = await connected(broker.port, { keepAlive: 1 })
    const receiver = new Receiver()
    receiver.room = 0
    session.start(receiver.receive)
    const asked = session.subscribe([subscription])
    const [client] = broker.clients
    await eventually(() => client?.all('subscribe').length === 1, { what: 'SUBSCRIBE' })
    client?.send({ cmd: 'suback', messageId: 1, granted: [1] })
    // Two a second.
    await eventually(() => (client?.all('pingreq').length ?? 0) >= 24, { what: 'twelve seconds', timeout: 50_000 })
    receiver.room = 1
    session.resume()
    expect(await asked).toEqual([])
    await session.disconnect('keep')
  })
})
