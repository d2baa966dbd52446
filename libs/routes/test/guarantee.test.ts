import { type BusFacts, guaranteeOf, readDocuments } from '@millrace/routes'
import { expect, test } from 'vitest'
import { between, route, together } from './documents.ts'

type Found = Parameters<typeof guaranteeOf>[2][number]
const safe: BusFacts = { replicas: 1, syncAlways: true }

/** What a route promises, and what lowers it. */
function ofText(text: string, bus = safe, found: readonly Found[] = []) {
  const [read] = readDocuments([{ file: 'f', text: together(text) }]).routes
  if (read === undefined) throw new Error('no route')
  const { guarantee, lowered } = guaranteeOf(read, bus, found)
  return [guarantee, lowered.map(({ code }) => code)]
}

test.each<[string, BusFacts, Parameters<typeof route>[0], unknown]>([
  ['all as it is by default', safe, {}, ['at-least-once', []]],
  ['QoS 2', safe, { source: ', qos: 2' }, ['at-least-once', []]],
  ['QoS 0', safe, { source: ', qos: 0' }, ['best-effort', ['qos_0']]],
  ['acks 0', safe, { sink: ', acks: 0' }, ['best-effort', ['acks_0']]],
  ['acks 1', safe, { sink: ', acks: 1' }, ['best-effort', ['acks_1']]],
  ['one server that does not sync', { replicas: 1, syncAlways: false }, {}, ['best-effort', ['bus_not_synced']]],
  [
    'one server of which nothing is known',
    { replicas: 1, syncAlways: 'unknown' },
    {},
    ['best-effort', ['bus_unknown']],
  ],
  ['three servers', { replicas: 3, syncAlways: 'unknown' }, {}, ['at-least-once', []]],
  [
    'everything at once',
    { replicas: 1, syncAlways: false },
    { source: ', qos: 0', sink: ', acks: 0' },
    ['best-effort', ['qos_0', 'acks_0', 'bus_not_synced']],
  ],
])('%s', (_what, bus, change, expected) => expect(ofText(route(change), bus)).toEqual(expected))

const fromKafka = (to: string, rest = '') => between('connection: lake, topics: [t]', to, { rest })
const fromMqtt = (to: string) => between('connection: plant, topics: [t]', to)
const exactly = '  delivery: exactlyOnce\n'

test.each<[string, string, unknown]>([
  ['Kafka to Kafka', fromKafka('connection: lake, topic: u'), ['at-least-once', []]],
  ['in transactions', fromKafka('connection: lake, topic: u', exactly), ['exactly-once', []]],
  ['Kafka to Kafka, acks 0', fromKafka('connection: lake, topic: u, acks: 0'), ['best-effort', ['acks_0']]],
  ['Kafka to MQTT', fromKafka('connection: plant, topic: u'), ['at-least-once', []]],
  ['published at QoS 0', fromKafka('connection: plant, topic: u, qos: 0'), ['best-effort', ['publish_qos_0']]],
  ['MQTT to MQTT', fromMqtt('connection: plant, topic: u, qos: 2'), ['at-least-once', []]],
  ['published as it came', fromMqtt('connection: plant, topic: u, qos: keep'), ['at-least-once', []]],
])('%s', (_what, text, expected) => expect(ofText(text)).toEqual(expected))

test('a bus that may lose its last seconds lowers transactions too', () => {
  const text = fromKafka('connection: lake, topic: u', exactly)
  expect(ofText(text, { replicas: 1, syncAlways: false })).toEqual(['best-effort', ['bus_not_synced']])
})

const noFence: Found = { code: 'no_fence', message: 'no transactional ids' }
const granted: Found = { code: 'qos_0_granted', message: 'QoS 0 for "t"' }

test.each<[string, readonly Found[], unknown]>([
  ['an end without a fence', [noFence], ['at-least-once', ['no_fence']]],
  ['batches that are not numbered', [{ ...noFence, code: 'no_idempotence' }], ['at-least-once', ['no_idempotence']]],
  ['a broker that grants QoS 0 only', [granted], ['best-effort', ['qos_0_granted']]],
  ['the same of many lanes', [noFence, noFence, granted, noFence], ['best-effort', ['no_fence', 'qos_0_granted']]],
])('what is found while it runs: %s', (_what, found, expected) => {
  expect(ofText(route({}), safe, found)).toEqual(expected)
})

test('an end without a fence does not raise what may be lost anyway', () => {
  expect(ofText(route({ sink: ', acks: 0' }), safe, [noFence])[0]).toBe('best-effort')
})
