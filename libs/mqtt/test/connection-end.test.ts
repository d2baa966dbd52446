/** What waits for a connection to end, however much passes over it before. */
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test, vi } from 'vitest'
import { type Publisher, Publishing } from '../src/index.ts'
import { answer, answering, records } from './answering.ts'
import { connected } from './connecting.ts'
import { add, publisherTo } from './publishing.ts'
import { accepted, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

async function connection(publisher: Publisher): Promise<Publishing> {
  const publishing = await publisher.connect()
  if (publishing instanceof Publishing) return publishing
  throw new Error(publishing.message)
}

test('each delivery raced against the end of the connection, and left something behind for as long as that lasted', async () => {
  await using broker = await answering(answer)
  const publisher = publisherTo(broker.port)
  const { closed } = await connection(publisher)
  const waits = vi.spyOn(closed, 'then')
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  for (let delivery = 0; delivery < 200; delivery++) {
    add(publisher, ...records('a', 'b'))
    expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  }
  expect(waits).not.toHaveBeenCalled()
  expect(timers()).toBeLessThanOrEqual(before)
  await publisher.close()
})

test('each SUBSCRIBE waited for the end of the connection, also when it was answered', async () => {
  await using broker = await startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(accepted)
    if (packet.cmd === 'subscribe') client.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [0x80] })
  })
  const session = await connected(broker.port)
  session.start(() => 1)
  const waits = vi.spyOn(session.closed, 'then')
  for (let attempt = 0; attempt < 20; attempt++) {
    const problems = await session.subscribe([{ filter: 't', qos: 1, retained: 'skip' }])
    expect(problems).toMatchObject([{ code: 'subscription_refused' }])
  }
  expect(waits).not.toHaveBeenCalled()
  await session.disconnect('keep')
})

test('a connection over which nothing is to be sent is pinged; a broker that does not answer that is lost', async () => {
  await using broker = await startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(accepted)
  })
  const publisher = publisherTo(broker.port, { keepAlive: 1 })
  const publishing = await connection(publisher)
  expect(await publishing.closed).toMatchObject({
    is: 'lost',
    problem: { message: expect.stringContaining('one and a half keepalives') },
  })
  expect(broker.clients[0]?.all('pingreq').length).toBeGreaterThanOrEqual(2)
  await eventually(async () => (await connection(publisher)) !== publishing, { what: 'another connection' })
  await publisher.close()
})

test('two that connect at once share one attempt: with one client id they would end each other', async () => {
  await using broker = await answering(answer)
  const publisher = publisherTo(broker.port)
  const [one, other] = await Promise.all([connection(publisher), connection(publisher)])
  expect(one).toBe(other)
  expect(broker.clients).toHaveLength(1)
  await publisher.close()
})

test('who is closed while it connects leaves no connection behind', async () => {
  await using broker = await answering(answer)
  const publisher = publisherTo(broker.port)
  const attempt = publisher.connect()
  await publisher.close()
  expect(await attempt).toMatchObject({ code: 'closed' })
})
