/** `millrace tap` on services as they run: the same records at both hops, in both directions. */
import { setTimeout as sleep } from 'node:timers/promises'
import { noLeaks } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { millrace } from './observe.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
let publisher: MqttClient
beforeAll(async () => {
  whole = await startWhole({ instances: { 'kafka-ingress': 1, 'mqtt-egress': 1 } })
  publisher = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
})
afterAll(async () => {
  await publisher.endAsync(true)
  await whole[Symbol.asyncDispose]()
})

const properties = { contentType: 'text/plain', userProperties: { site: 'north' } }

/** Taps a route while somebody publishes, and returns what was shown of so many records. */
async function tapped(route: string, count: number): Promise<unknown[]> {
  const over = new AbortController()
  const tapping = millrace(whole.fleet, 'tap', route, '-o', 'json', '--count', String(count)).finally(() =>
    over.abort(),
  )
  for (let number = 0; !over.signal.aborted; number++) {
    const value = number % 2 === 0 ? 'wanted' : 'unwanted'
    await publisher.publishAsync('there/p/n', value, { qos: 1, properties })
    await sleep(100)
  }
  const { out, err, code } = await tapping
  expect({ err, code }).toEqual({ err: '', code: 0 })
  return out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

test('records are shown as they are stored and as they went out, in both directions', {
  timeout: 120_000,
}, async () => {
  await whole.apply(ledgerRoute('there', { route: 'filter: record.value != "unwanted"', createTopic: 'config: {}' }))
  await whole.untilRunning('there')
  await whole.apply(`
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: back }
spec: { source: { connection: lake, topics: [there] }, sink: { connection: plant, topic: 'back/\${record.key}', qos: 2 } }
`)
  await whole.untilRunning('back')

  const there = await tapped('there', 20)
  const published = [
    ['mqtt.topic', { text: 'there/p/n' }],
    ['mqtt.qos', { text: '1' }],
    ['mqtt.content-type', { text: 'text/plain' }],
    ['site', { text: 'north' }],
  ]
  const stored = (value: string) => ({ key: null, headers: expect.arrayContaining(published), value: { text: value } })
  const sunk = {
    outcome: 'delivered',
    to: { topic: 'there', partition: expect.any(Number) },
    key: { text: 'p' },
    headers: expect.arrayContaining(published),
  }
  expect(there).toContainEqual(
    expect.objectContaining({ lane: '0', stored: expect.objectContaining(stored('wanted')), sink: sunk }),
  )
  expect(there).toContainEqual(
    expect.objectContaining({ stored: expect.objectContaining(stored('unwanted')), sink: { outcome: 'filtered' } }),
  )

  const back = {
    lane: expect.stringMatching(/^there\/\d$/),
    stored: expect.objectContaining({
      offset: expect.stringMatching(/^\d+$/),
      key: { text: 'p' },
      value: { text: 'wanted' },
    }),
    sink: {
      outcome: 'delivered',
      to: { topic: 'back/p', qos: 2, retain: false },
      key: null,
      headers: [
        ['mqtt.content-type', { text: 'text/plain' }],
        ['site', { text: 'north' }],
      ],
    },
  }
  expect(await tapped('back', 20)).toContainEqual(expect.objectContaining(back))
})
