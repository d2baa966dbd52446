import { emptyView, HeaderWriter, type Record, recordOf, viewOf } from '@millrace/record'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Framer } from '../src/framer.ts'
import {
  encodePublish,
  type HeaderMapping,
  type OutgoingPublish,
  Publish,
  PublishMapper,
  toRecord,
} from '../src/index.ts'
import { Outbox } from '../src/outbox.ts'
import { plain } from './plain.ts'

const now = 1_700_000_000_000
const nowhere = { topic: null, partition: null, offset: null }

/** Reads a PUBLISH whole. */
function read(bytes: Buffer): Publish {
  const framer = new Framer()
  framer.push(bytes)
  expect(framer.next()).toBe(true)
  const publish = new Publish()
  publish.read(framer)
  return publish
}

/** Maps a record and encodes what it became, as a sink does. */
function published(
  record: Record,
  mapping: HeaderMapping = 'lossless',
  place = nowhere as typeof kafkaPlace | typeof nowhere,
) {
  const view = viewOf(record)
  const mapper = new PublishMapper(mapping)
  mapper.read(view, place)
  const topic = record.headers.find(([name]) => name === 'mqtt.topic')?.[1]?.toString() ?? 't'
  const { qos = 1, retain, expiresAt, properties, leftOut } = mapper
  const outbox = new Outbox(5)
  outbox.add({ topic, qos, retain, expiresAt, properties }, view, 0)
  const isFresh = outbox.refresh(outbox.entry(0), now)
  const { packetId, userProperties = [], retain: isRetained = false, ...rest } = plain(read(outbox.bytes(0, 1)))
  expect(packetId).toBe(qos > 0 ? 1 : undefined)
  return { ...rest, retain: isRetained, userProperties, leftOut, isFresh }
}

const kafkaPlace = { topic: 'orders', partition: 3, offset: '42' }

const character = fc.constantFrom('a', 'B', '.', '/', ' ', '-', 'é', '中', '😀', 'mqtt.', 'user.', 'kafka.', 'iothub.')
const text = fc.array(character, { maxLength: 8 }).map(parts => parts.join(''))
const bytes = fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array))
const message: fc.Arbitrary<OutgoingPublish> = fc.record(
  {
    topic: text.map(rest => `t${rest}`),
    payload: bytes,
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    payloadFormat: fc.constantFrom(0, 1),
    messageExpiry: fc.integer({ min: 1, max: 0xffff_ffff }),
    contentType: text,
    responseTopic: text,
    correlationData: bytes,
    userProperties: fc.array(fc.tuple(text, text), { maxLength: 6 }),
  },
  { requiredKeys: ['topic', 'payload', 'qos', 'retain', 'userProperties'] },
)

test('a publish that became a record and a publish again is the same', () => {
  const headers = new HeaderWriter()
  const view = emptyView()
  fc.assert(
    fc.property(message, sent => {
      toRecord(read(encodePublish({ ...sent, packetId: 7, dup: sent.qos > 0 })), now, headers, view)
      expect(published(recordOf(view))).toEqual({ ...sent, leftOut: 0, isFresh: true })
    }),
    { numRuns: 1_000 },
  )
})

const record = (headers: Record['headers'], more: Partial<Record> = {}): Record => {
  return { timestamp: now, key: null, value: Buffer.of(1), headers, ...more }
}

describe('a Kafka record', () => {
  test('says where it stood, and keeps its headers, in order and with repetitions; null becomes empty', () => {
    const headers: Record['headers'] = [
      ['b', Buffer.from('1')],
      ['a', null],
      ['b', Buffer.of()],
      ['mqtt.unknown', Buffer.from('x')],
    ]
    expect(published(record(headers, { key: Buffer.from('k') }), 'lossless', kafkaPlace).userProperties).toEqual([
      ['b', '1'],
      ['a', ''],
      ['b', ''],
      ['mqtt.unknown', 'x'],
      ['kafka.topic', 'orders'],
      ['kafka.partition', '3'],
      ['kafka.offset', '42'],
      ['kafka.key', 'k'],
      ['kafka.timestamp', String(now)],
    ])
  })

  test('that was a PUBLISH once is that PUBLISH, and nothing more', () => {
    const headers: Record['headers'] = [
      ['mqtt.topic', Buffer.from('t')],
      ['mqtt.qos', Buffer.from('2')],
      ['user.mqtt.qos', Buffer.from('mine')],
    ]
    const { qos, userProperties } = published(record(headers, { key: Buffer.from('k') }), 'lossless', kafkaPlace)
    expect({ qos, userProperties }).toEqual({ qos: 2, userProperties: [['mqtt.qos', 'mine']] })
  })

  test.each([
    ['bytes that are not UTF-8', Buffer.of(0xff)],
    ['NUL', Buffer.from('a\0b')],
    ['a control character, for which mosquitto ends the connection', Buffer.from('a\nb')],
    ['a control character of two bytes', Buffer.from('\u0085')],
    ['a non-character', Buffer.from('\uffff')],
    ['more than 65,535 bytes', Buffer.alloc(65_536, 'a')],
  ])('leaves a header with %s out, and counts it', (_, value) => {
    const headers: Record['headers'] = [
      ['before', Buffer.from('1')],
      ['bad', value],
      ['after', Buffer.from('2')],
    ]
    const { userProperties, leftOut } = published(record(headers), 'lossless', nowhere)
    expect({ userProperties, leftOut }).toEqual({
      userProperties: [
        ['before', '1'],
        ['after', '2'],
      ],
      leftOut: 1,
    })
  })

  test('of whose headers one that may not repeat does: the first counts', () => {
    const headers: Record['headers'] = ['first', 'second'].map(value => ['mqtt.content-type', Buffer.from(value)])
    expect(published(record(headers))).toMatchObject({ contentType: 'first', userProperties: [] })
  })

  test('without a value is an empty payload', () => {
    expect(published(record([], { value: null })).payload).toEqual(Buffer.of())
  })
})

describe('iotOperations', () => {
  test('a Kafka record: all headers as they are, and its key and time', () => {
    const headers: Record['headers'] = [
      ['Content Type', Buffer.from('text/plain')],
      ['mqtt.content-type', Buffer.from('x')],
      ['user.a', Buffer.from('1')],
      ['binary', Buffer.of(0xff)],
    ]
    const { leftOut, contentType, userProperties } = published(
      record(headers, { key: Buffer.from('k') }),
      'iotOperations',
      kafkaPlace,
    )
    expect({ leftOut, contentType, userProperties }).toEqual({
      leftOut: 1,
      contentType: undefined,
      userProperties: [
        ['Content Type', 'text/plain'],
        ['mqtt.content-type', 'x'],
        ['user.a', '1'],
        ['Key', 'k'],
        ['Timestamp', String(now)],
      ],
    })
  })

  test('a PUBLISH that such headers went to Kafka with: they come back, without where and how it was published', () => {
    const headers: Record['headers'] = [
      ['mqtt.topic', Buffer.from('t')],
      ['mqtt.qos', Buffer.from('0')],
      ['mqtt.retain', Buffer.from('true')],
      ['Content Type', Buffer.from('text/plain')],
      ['b', Buffer.from('1')],
      ['user.mqtt.topic', Buffer.from('mine')],
    ]
    const { qos, retain, userProperties } = published(record(headers), 'iotOperations', kafkaPlace)
    expect({ qos, retain, userProperties }).toEqual({
      qos: 1,
      retain: false,
      userProperties: [
        ['Content Type', 'text/plain'],
        ['b', '1'],
        ['user.mqtt.topic', 'mine'],
        ['Timestamp', String(now)],
      ],
    })
  })

  test('what comes from MQTT is what it was', () => {
    const headers: Record['headers'] = [
      ['mqtt.topic', Buffer.from('t')],
      ['mqtt.content-type', Buffer.from('x')],
      ['a', Buffer.from('1')],
    ]
    expect(published(record(headers), 'iotOperations')).toMatchObject({
      contentType: 'x',
      userProperties: [['a', '1']],
    })
  })
})

test('none: no properties and no expiry; the QoS and RETAIN of the record are there for whoever asks', () => {
  const headers: Record['headers'] = [
    ['mqtt.qos', Buffer.from('0')],
    ['mqtt.retain', Buffer.from('true')],
    ['mqtt.content-type', Buffer.from('x')],
    ['mqtt.expires-at', Buffer.from('1')],
    ['a', Buffer.from('1')],
  ]
  const { qos, retain, contentType, userProperties, isFresh } = published(record(headers), 'none', kafkaPlace)
  expect({ qos, retain, contentType, userProperties, isFresh }).toEqual({
    qos: 0,
    retain: true,
    contentType: undefined,
    userProperties: [],
    isFresh: true,
  })
})

test('expiry: what is left of it, rounded up; nothing left is told', () => {
  const expiring = (at: number | string) => published(record([['mqtt.expires-at', Buffer.from(String(at))]]))
  expect(expiring(now + 59_001)).toMatchObject({ messageExpiry: 60, isFresh: true })
  expect(expiring(now + 1)).toMatchObject({ messageExpiry: 1, isFresh: true })
  expect(expiring(now).isFresh).toBe(false)
  expect(expiring('no number')).toMatchObject({ isFresh: true })
  expect(expiring('no number')).not.toHaveProperty('messageExpiry')
})
