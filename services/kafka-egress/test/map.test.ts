import { recordOf } from '@millrace/record'
import { expect, test } from 'vitest'
import { type Mapped, mapperOf } from '../src/map.ts'
import { type Given, GivenDelivery } from './delivery.ts'

/** Where a record goes, and with which key and headers. */
function mapped(sink: Partial<Mapped['sink']>, given: Given, headers: Mapped['headers'] = 'lossless') {
  const map = mapperOf({ sink: { topic: 'telemetry', partition: 'key', ...sink }, headers })
  const delivery = new GivenDelivery([given])
  delivery.next()
  const target = map(delivery)
  const record = recordOf(delivery.view)
  return { ...target, key: record.key?.toString() ?? null, headers: record.headers.length }
}

test('a fixed topic, the record’s own key, all its headers', () => {
  const given: Given = { value: 'v', key: 'k', headers: [['a', Buffer.from('1')]] }
  expect(mapped({}, given)).toEqual({ topic: 'telemetry', partition: undefined, key: 'k', headers: 1 })
  expect(mapped({}, { value: 'v' })).toMatchObject({ key: null })
})

test('topic, key and partition by templates', () => {
  const sink = { topic: 'site-${source.levels[0]}', key: '${source.levels[1]}', partition: '${record.value}' }
  const target = mapped(sink, { value: '3', key: 'own', topic: 'berlin/pump/7' })
  expect(target).toMatchObject({ topic: 'site-berlin', key: 'pump', partition: 3 })
})

test('a key template that reads null takes the key away', () => {
  expect(mapped({ key: '${record.headers["id"]}' }, { value: 'v', key: 'own' })).toMatchObject({ key: null })
})

test('headers: none leaves them out', () => {
  expect(mapped({}, { value: 'v', headers: [['a', null]] }, 'none')).toMatchObject({ headers: 0 })
})

test('headers: iotOperations renames what came from MQTT', () => {
  const headers: Given['headers'] = [
    ['mqtt.expires-at', Buffer.from('1')],
    ['mqtt.content-type', Buffer.from('x')],
  ]
  expect(mapped({}, { value: 'v', headers }, 'iotOperations')).toMatchObject({ headers: 1 })
})

test.each(['', '.', '..', '__consumer_offsets', 'a b', 'a/b', 'ü', 'x'.repeat(250)])(
  'a template that makes %j has made no topic',
  topic => {
    expect(mapped({ topic: '${source.topic}' }, { value: 'v', topic })).toMatchObject({ problem: { code: 'no_topic' } })
  },
)

test('a topic template that reads null has made no topic', () => {
  expect(mapped({ topic: '${record.key}' }, { value: 'v' })).toMatchObject({ problem: { code: 'no_topic' } })
})

test.each(['-1', '1.5', 'one', '', '1e3', '99999999999'])('a partition of %j is no number', value => {
  expect(mapped({ partition: '${record.value}' }, { value })).toMatchObject({ problem: { code: 'expression' } })
})

test('an expression that fails is the record’s problem, not the lane’s', () => {
  expect(mapped({ key: '${source.levels[5]}' }, { value: 'v', topic: 'a/b' })).toMatchObject({
    problem: { code: 'expression', message: expect.stringContaining('levels[5]') },
  })
})
