import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, Ledger, type Mosquitto, noLeaks, startMosquitto, startProxy } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { add, type Given, publisherTo } from './publishing.ts'

noLeaks()

let broker: Mosquitto
beforeAll(async () => {
  broker = await startMosquitto()
})
afterAll(() => broker[Symbol.asyncDispose]())

/** A subscriber of MQTT.js, and the payloads that it has seen. */
async function subscriber(filter: string): Promise<{ client: MqttClient; seen: string[] }> {
  const client = await connectAsync(broker.url, { protocolVersion: 5, properties: { receiveMaximum: 65_535 } })
  const seen: string[] = []
  client.on('message', (_, payload) => seen.push(payload.toString()))
  await client.subscribeAsync(filter, { qos: 2 })
  return { client, seen }
}

const numbered = (count: number, topic: string, qos: 0 | 1 | 2): Given[] =>
  Array.from({ length: count }, (_, n) => ({ topic, value: `${n}`, qos }))

test.each([0, 1, 2] as const)('a delivery of QoS %i comes whole and in order, and is done then', async qos => {
  const { client, seen } = await subscriber(`order/${qos}`)
  const publisher = publisherTo(broker.port)
  for (let delivery = 0; delivery < 3; delivery++) {
    add(publisher, ...numbered(2_500, `order/${qos}`, qos))
    expect(await publisher.deliver()).toEqual({ is: 'done', expired: 0 })
  }
  await eventually(() => seen.length === 7_500, { what: 'all' })
  const once = numbered(2_500, '', qos).map(({ value }) => value)
  expect(seen).toEqual([...once, ...once, ...once])
  await publisher.close()
  await client.endAsync()
})

test.each([1, 2] as const)(
  'connections cut again and again, answers lost: QoS %i loses nothing and keeps the order',
  async qos => {
    const topic = `cut/${qos}`
    const { client, seen } = await subscriber(topic)
    await using proxy = await startProxy(broker.port)
    const publisher = publisherTo(proxy.port)
    const ledger = new Ledger()
    let unknown = 0
    for (let delivery = 0; delivery < 20; delivery++) {
      const numbers = Array.from({ length: 200 }, (_, n) => delivery * 200 + n)
      add(publisher, ...numbers.map(n => ({ topic, value: `${n}`, qos })))
      if (delivery % 4 === 1) proxy.dropAnswers()
      if (delivery % 4 === 3) proxy.cut()
      const isDone = async () => {
        const { is } = await publisher.deliver()
        if (is === 'unknown') unknown++
        return is === 'done'
      }
      await eventually(isDone, { what: `delivery ${delivery}` })
      for (const n of numbers) ledger.acknowledged('lane', n)
    }
    await eventually(() => new Set(seen).size === 4_000, { what: 'all' })
    for (const value of seen) ledger.delivered('lane', Number(value))
    expect(ledger.report()).toMatchObject({ acknowledged: 4_000, lost: [], outOfOrder: [] })
    expect(unknown).toBeGreaterThan(0)
    await publisher.close()
    await client.endAsync()
  },
)

test('mosquitto keeps its answers back until what it sent is acknowledged (Nagle): deliveries do not wait for that', async () => {
  const publisher = publisherTo(broker.port)
  const times: number[] = []
  for (let delivery = 0; delivery < 40; delivery++) {
    add(publisher, ...numbered(10, 'nagle', 1))
    const begun = performance.now()
    await publisher.deliver()
    times.push(performance.now() - begun)
  }
  // 43 ms each, half of them at least, where nothing is done about it.
  expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(35)
  await publisher.close()
})

test('a second publisher with the client id ends the connection of the first', async () => {
  const [first, second] = [publisherTo(broker.port), publisherTo(broker.port)]
  await first.connect()
  await second.connect()
  add(second, { topic: 'owner', value: 'second' })
  expect(await second.deliver()).toMatchObject({ is: 'done' })
  add(first, { topic: 'owner', value: 'first' })
  // It knows already, or is about to: either way it must connect again to send.
  await eventually(async () => (await first.deliver()).is === 'done', { what: 'a connection of its own' })
  add(second, { topic: 'owner', value: 'second' })
  await eventually(async () => (await second.deliver()).is === 'done', { what: 'a connection of its own' })
  await Promise.all([first.close(), second.close()])
})

test('nobody subscribes: held, until somebody does', async () => {
  const publisher = publisherTo(broker.port, { onNoSubscribers: 'hold' })
  add(publisher, { topic: 'lonely', value: 'a' }, { topic: 'lonely', value: 'b', qos: 2 })
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await publisher.deliver()).toMatchObject({ is: 'hold', problem: { code: 'no_subscribers' } })
  }
  const { client, seen } = await subscriber('lonely')
  expect(await publisher.deliver()).toMatchObject({ is: 'done' })
  await eventually(() => seen.length === 2, { what: 'both' })
  expect(seen).toEqual(['a', 'b'])
  await publisher.close()
  await client.endAsync()
})

test('topics that the broker does not allow, and payloads that it does not take, are refused', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-acl-'))
  const acl = path.join(folder, 'acl')
  await writeFile(acl, 'topic readwrite allowed/#\n')
  await using guarded = await startMosquitto({ extra: `acl_file ${acl}\nmessage_size_limit 1000` })
  const publisher = publisherTo(guarded.port)
  add(
    publisher,
    { topic: 'allowed/1', value: 'a' },
    { topic: 'secret', value: 'b' },
    { topic: 'allowed/1', value: 'c'.repeat(1_001) },
    { topic: 'allowed/2', value: 'd' },
  )
  // mosquitto ends the connection over the large one, and its DISCONNECT may be lost where more is on its way.
  const outcomes = [await publisher.deliver()]
  while (outcomes.at(-1)?.is === 'unknown') outcomes.push(await publisher.deliver())
  expect(outcomes.at(-1)).toMatchObject({
    is: 'refused',
    refusals: [
      { index: 1, code: 'topic_refused' },
      { index: 2, code: 'too_large' },
    ],
  })
  await publisher.close()
  await rm(folder, { recursive: true })
})

test.each([5, 4] as const)(
  'a topic and a size over which mosquitto closes the connection stopped a lane for ever (protocol %i)',
  async version => {
    await using strict = await startMosquitto({ extra: 'message_size_limit 1000\nmax_packet_size 2000' })
    const publisher = publisherTo(strict.port, { version })
    const poison = [
      { topic: 'x/\u0001', value: 'control character' },
      { topic: 'x/\ufffe', value: 'non-character' },
      { topic: 'large', value: 'x'.repeat(3_000) },
    ]
    const good = numbered(4, 'good', 1)
    add(publisher, ...good.flatMap((one, n) => [one, ...poison.slice(n, n + 1)]))
    const refused = async () => {
      const outcome = await publisher.deliver()
      return outcome.is === 'refused' ? outcome.refusals.map(({ index }) => index) : undefined
    }
    expect(await eventually(refused, { what: 'the others to pass' })).toEqual([1, 3, 5])
    await publisher.close()
  },
)

test('what is beyond the Maximum Packet Size of the broker is refused', async () => {
  await using strict = await startMosquitto({ extra: 'max_packet_size 2000' })
  const publisher = publisherTo(strict.port)
  add(publisher, { topic: 'a', value: 'x' }, { topic: 'a', value: 'y'.repeat(2_000) }, { topic: 'a', value: 'z' })
  expect(await publisher.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'too_large' }] })
  await publisher.close()
})
