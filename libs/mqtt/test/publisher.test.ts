import { eventually, type Mosquitto, noLeaks, startMosquitto } from '@millrace/testkit'
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
