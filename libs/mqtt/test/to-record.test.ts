import { emptyView, type Header, HeaderWriter, type Record, recordOf } from '@millrace/record'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Framer } from '../src/framer.ts'
import { encodePublish, type OutgoingPublish, Publish, toRecord } from '../src/index.ts'

const now = 1_700_000_000_000
const headers = new HeaderWriter()
const view = emptyView()

function recordFor(message: OutgoingPublish): Record {
  const framer = new Framer()
  framer.push(encodePublish(message))
  framer.next()
  const publish = new Publish()
  publish.read(framer)
  toRecord(publish, now, headers, view)
  return recordOf(view)
}

const texts = (record: Record) => record.headers.map(([name, value]) => [name, value?.toString()])

test('topic and QoS are always there, the rest only where it was sent', () => {
  const record = recordFor({ topic: 'a b/*/>', payload: Buffer.from('x'), qos: 1, packetId: 7 })
  expect(record).toMatchObject({ timestamp: now, key: null, value: Buffer.from('x') })
  expect(texts(record)).toEqual([
    ['mqtt.topic', 'a b/*/>'],
    ['mqtt.qos', '1'],
  ])
})

test('an empty payload is an empty value, not null', () => {
  expect(recordFor({ topic: 't', payload: Buffer.of(), qos: 0 }).value).toEqual(Buffer.of())
})

test('every property has its header', () => {
  const record = recordFor({
    topic: 't',
    payload: Buffer.of(),
    qos: 2,
    packetId: 1,
    retain: true,
    payloadFormat: 1,
    messageExpiry: 60,
    contentType: 'application/json',
    responseTopic: 'answers/1',
    correlationData: Buffer.of(0, 255, 128),
    userProperties: [
      ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
      ['b', '1'],
      ['a', ''],
      ['b', '2'],
      ['', 'no name'],
      ['Nats-Rollup', 'all'],
    ],
  })
  const correlation = record.headers.find(([name]) => name === 'mqtt.correlation-data')
  expect(correlation?.[1]).toEqual(Buffer.of(0, 255, 128))
  expect(texts(record).filter(([name]) => name !== 'mqtt.correlation-data')).toEqual([
    ['mqtt.topic', 't'],
    ['mqtt.qos', '2'],
    ['mqtt.retain', 'true'],
    ['mqtt.payload-format', '1'],
    ['mqtt.content-type', 'application/json'],
    ['mqtt.response-topic', 'answers/1'],
    ['mqtt.expires-at', String(now + 60_000)],
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['b', '1'],
    ['a', ''],
    ['b', '2'],
    ['', 'no name'],
    ['Nats-Rollup', 'all'],
  ])
})

/** The user properties as they were: what a sink would do. */
function userPropertiesOf(record: Record): Header[] {
  return record.headers
    .filter(([name]) => !name.startsWith('mqtt.'))
    .map(([name, value]) => [name.startsWith('user.') ? name.slice('user.'.length) : name, value])
}

test('user properties that are named like our headers can be told apart, and come back as they were', () => {
  const name = fc
    .tuple(fc.constantFrom('', 'mqtt.', 'iothub.', 'kafka.', 'user.', 'user.mqtt.', 'mqtt', 'Mqtt.'), fc.string())
    .map(([prefix, rest]) => (prefix + rest).replaceAll('\0', ''))
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string()), { maxLength: 10 }), userProperties => {
      const record = recordFor({ topic: 't', payload: Buffer.of(), qos: 0, userProperties })
      expect(userPropertiesOf(record)).toEqual(userProperties.map(([key, value]) => [key, Buffer.from(value)]))
    }),
  )
})
