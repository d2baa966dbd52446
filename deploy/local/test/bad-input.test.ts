/**
 * What publishers may send, however odd, through every service: it arrives as it came, or becomes a dead letter that
 * says why and holds the record whole. Nothing is lost, the others keep their order, and no other route notices.
 */
import { randomBytes } from 'node:crypto'
import { streamInfo } from '@millrace/bus'
import { encodePublish } from '@millrace/mqtt'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BesideCalm, startBesideCalm } from './beside-calm.ts'
import { good, kind, startCrooked } from './crooked-broker.ts'
import { mqtt, route, together } from './documents.ts'
import {
  arrivedAt,
  balances,
  countOf,
  deadLetters,
  metricOf,
  millrace,
  recordsIn,
  untilProblem,
  untilWell,
} from './observe.ts'
import { publishRaw } from './raw-publisher.ts'

noLeaks()

const routes = [
  route('odd', { sink: "lake, topic: odd, key: '${source.topic}'" }),
  route('mapped', {
    sink: "lake, topic: 'mapped-${record.json.to}', key: '${record.json.key}', partition: '${record.json.at}'",
    more: '  filter: record.json.wanted > 0\n',
  }),
  route('small', { more: '  maxRecordBytes: 200KiB\n' }),
  route('absent'),
]

let beside: BesideCalm
let whole: BesideCalm['whole']
let publisher: BesideCalm['publisher']
beforeAll(async () => {
  beside = await startBesideCalm()
  ;({ whole, publisher } = beside)
  const { kafka } = whole
  await kafka.createTopic('odd', 1, { 'max.message.bytes': '8000000' })
  await kafka.createTopic('mapped-here')
  await kafka.createTopic('small', 1, { 'max.message.bytes': '100000' })
  await whole.apply(together(...routes))
  for (const name of ['odd', 'mapped', 'small']) await whole.untilRunning(name)
})
afterAll(() => beside?.[Symbol.asyncDispose]())

/** Publishes in order, QoS 1; resolves when the broker has acknowledged all of it. */
async function publish(...messages: [topic: string, payload: string | Buffer][]): Promise<void> {
  for (const [topic, payload] of messages) await publisher.publishAsync(topic, payload, { qos: 1 })
}

const arrived = (topic: string, count: number, before = 0) => arrivedAt(whole, { topic, count, before })

describe('messages that are odd arrive as they came', () => {
  test('topics with blanks, wildcards of NATS, dollars, empty levels, unicode, and of 65,535 bytes', async () => {
    const topics = [
      'odd/with some  spaces ',
      'odd/*',
      'odd/>',
      'odd/a.b..c.',
      'odd/$JS.API.STREAM.DELETE.MR_D_odd',
      '$odd/dollar',
      'odd//',
      'odd/ünïcödé/日本',
      'odd/🦊/👩‍🚀',
      'odd/../../etc/passwd',
      `odd/${'x'.repeat(65_531)}`,
    ]
    await publish(...topics.map((topic, index): [string, string] => [topic, String(index)]))
    const records = await arrived('odd', topics.length)
    expect(records.map(({ value }) => String(value))).toEqual(topics.map((_, index) => String(index)))
    expect(records.map(({ headers }) => String(headers['mqtt.topic']))).toEqual(topics)
    expect(records.map(({ key }) => String(key))).toEqual(topics)
    const stream = await whole.bus.call(whole.bus.jsm.streams.info('MR_D_odd', { subjects_filter: '>' }))
    expect(Object.keys(stream.state.subjects ?? {})).toEqual(['mr.d.mqtt-ingress.odd.0'])
  })

  test('payloads: empty stays empty and is no tombstone; 5 MB; text that is none', async () => {
    const large = randomBytes(5_000_000)
    const noText = Buffer.from([0xff, 0xfe, 0, 0xc0, 0x80])
    const before = (await whole.kafka.readAll('odd')).length
    await publish(['odd/p', ''], ['odd/p', large], ['odd/p', 'after'])
    await publishRaw(whole.mosquitto.port, [{ topic: 'odd/p', payload: noText, payloadFormat: 1 }])
    const [empty, five, after, raw] = await arrived('odd', 4, before)
    expect(empty?.value).toEqual(Buffer.alloc(0))
    expect(five?.value?.equals(large)).toBe(true)
    expect(String(after?.value)).toBe('after')
    expect(raw?.value).toEqual(noText)
    expect(String(raw?.headers['mqtt.payload-format'])).toBe('1')
  })

  test('1,000 user properties with repetitions and empty ones keep their order', async () => {
    const before = (await whole.kafka.readAll('odd')).length
    const userProperties = Array.from({ length: 1_000 }, (_, index): [string, string] => [
      index % 100 === 7 ? '' : index % 100 === 8 ? '__proto__' : `p${index % 10}`,
      index % 50 === 3 ? '' : `v${index}`,
    ])
    await publishRaw(whole.mosquitto.port, [{ topic: 'odd/u', payload: Buffer.from('u'), userProperties }])
    await arrived('odd', 1, before)
    // Kafka's own program: kafkajs has headers in an object, where the order among names is lost.
    const records = await whole.kafka.consoleConsumer('odd', before + 1)
    const expected = [['mqtt.topic', 'odd/u'], ['mqtt.qos', '1'], ...userProperties]
    expect(records.at(-1)?.headers).toBe(expected.map(([name, value]) => `${name}:${value}`).join(','))
  })

  test('user properties with the names of control headers are data, and ours are told apart', async () => {
    const before = (await whole.kafka.readAll('odd')).length
    const sent: [string, string][] = [
      ['Nats-Rollup', 'all'],
      ['Nats-Msg-Id', 'same'],
      ['Nats-Expected-Last-Sequence', '0'],
      ['Nats-Expected-Last-Subject-Sequence', '1'],
      ['Nats-TTL', '1s'],
      ['KV-Operation', 'PURGE'],
      ['mr-epoch', '9007199254740991'],
      ['mr-base', '0'],
      ['mr-position', 'none'],
      ['mqtt.topic', 'forged'],
      ['kafka.offset', '5'],
      ['iothub.device-id', 'forged'],
      ['user.x', 'escaped'],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['comma,colon:', '=;"'],
    ]
    await publishRaw(whole.mosquitto.port, [
      { topic: 'odd/n', payload: Buffer.from('first'), userProperties: sent },
      { topic: 'odd/n', payload: Buffer.from('second'), userProperties: sent },
    ])
    const [first, second] = await arrived('odd', 2, before)
    expect([first, second].map(record => String(record?.value))).toEqual(['first', 'second'])
    const ours = /^(mqtt|iothub|kafka|user)\./
    const expected = Object.fromEntries(sent.map(([name, value]) => [ours.test(name) ? `user.${name}` : name, value]))
    const got = Object.entries(second?.headers ?? {}).map(([name, value]) => [name, String(value)])
    expect(Object.fromEntries(got)).toEqual({ 'mqtt.topic': 'odd/n', 'mqtt.qos': '1', ...expected })
    // Nothing that came before was rolled up, expired or deduplicated.
    expect((await streamInfo(whole.bus, 'KV_mr_routes'))?.state.messages).toBe(1)
    await balances(whole, 'odd')
  })

  test('line breaks in names and values of user properties, from a broker that lets them through', async () => {
    const userProperties: [string, string][] = [
      ['line', 'one\r\ntwo\r\nNats-Rollup: all'],
      ['name\r\nNats-Rollup: all', 'value'],
      ['\u0000', '\r\n\r\n'],
    ]
    const message = { topic: 'lines/n', payload: Buffer.from('lines'), qos: 1 as const, packetId: 9, userProperties }
    const acknowledged: number[] = []
    await using broker = await startCrooked({
      ...good,
      [kind.subscribe]: packet => Buffer.concat([good[kind.subscribe]!(packet)!, encodePublish(message)]),
      [kind.puback]: packet => void acknowledged.push(packet.readUInt16BE(2)),
    })
    await whole.kafka.createTopic('lines')
    await whole.apply(together(mqtt('crooked', broker.url), route('lines', { connection: 'crooked' })))
    const [record] = await arrived('lines', 1)
    expect(Object.entries(record?.headers ?? {}).map(([name, value]) => [name, String(value)])).toEqual([
      ['mqtt.topic', 'lines/n'],
      ['mqtt.qos', '1'],
      ...userProperties,
    ])
    await eventually(() => acknowledged.length > 0, { what: 'PUBACK' })
    expect(acknowledged).toEqual([9])
    expect(await millrace(whole.fleet, 'delete', 'route', 'lines', '--discard', '--yes')).toMatchObject({ code: 0 })
  })
})

describe('records that can never pass become dead letters, and the others keep their order', () => {
  test('filters that throw; topics, keys and partitions that a template can not make', async () => {
    const good = (n: number) => JSON.stringify({ n, to: 'here', key: 'k', at: 0, wanted: 1 })
    const bad: [reason: string, detail: RegExp, payload: string][] = [
      ['expression', /filter.*not JSON/i, 'no json'],
      ['expression', /filter/i, '{"wanted":"a text"}'],
      ['expression', /filter/i, ''],
      ['no_topic', /no name for a Kafka topic/, '{"wanted":1,"to":"a/b","key":"k","at":0}'],
      ['no_topic', /mapped-nowhere does not exist/, '{"wanted":1,"to":"nowhere","key":"k","at":0}'],
      ['expression', /./, '{"wanted":1,"key":"k","at":0}'],
      ['expression', /partition.*whole number/, '{"wanted":1,"to":"here","key":"k","at":"second"}'],
      ['no_partition', /mapped-here has no partition/, '{"wanted":1,"to":"here","key":"k","at":99}'],
      ['expression', /partition/, '{"wanted":1,"to":"here","key":"k","at":-1}'],
      ['expression', /./, '{"wanted":1,"to":"here","key":{"a":1},"at":0}'],
    ]
    const messages = bad.flatMap(([, , payload], n): [string, string][] => [
      ['mapped/m', good(n)],
      ['mapped/m', '{"wanted":0}'],
      ['mapped/m', payload],
    ])
    await publish(...messages, ['mapped/m', good(bad.length)])
    const records = await arrived('mapped-here', bad.length + 1)
    expect(records.map(({ value }) => JSON.parse(String(value)).n)).toEqual([...bad.keys(), bad.length])
    await eventually(async () => (await countOf(whole, 'sink.mapped.0', 'dead')) === bad.length, {
      what: 'all counted',
    })
    const letters = await deadLetters(whole.bus, 'mapped')
    expect(letters.map(({ reason, service }) => [reason, service])).toEqual(
      bad.map(([reason]) => [reason, 'kafka-egress']),
    )
    for (const [index, [, detail, payload]] of bad.entries()) {
      expect(letters[index]?.detail).toMatch(detail)
      const [record] = recordsIn(letters[index]!)
      expect(String(record?.value)).toBe(payload)
      expect(record?.headers).toEqual([
        ['mqtt.topic', Buffer.from('mapped/m')],
        ['mqtt.qos', Buffer.from('1')],
      ])
    }
    expect(await countOf(whole, 'sink.mapped.0', 'filtered')).toBe(bad.length)
    const metric = { service: 'kafka-egress-1', metric: 'millrace_records_dead_total', route: 'mapped' }
    expect(await metricOf(whole, metric)).toBe(bad.length)
    await balances(whole, 'mapped')
  })

  test('records too large for the route, or for the topic', async () => {
    const forRoute = randomBytes(5_000_000)
    const forTopic = randomBytes(150_000)
    await publish(['small/m', '0'], ['small/m', forRoute], ['small/m', '1'], ['small/m', forTopic], ['small/m', '2'])
    const records = await arrived('small', 3)
    expect(records.map(({ value }) => String(value))).toEqual(['0', '1', '2'])
    await eventually(async () => (await deadLetters(whole.bus, 'small')).length === 2, { what: 'two dead letters' })
    const [source, sink] = await deadLetters(whole.bus, 'small')
    expect(source).toMatchObject({ service: 'mqtt-ingress', reason: 'too_large', count: 1 })
    expect(source?.detail).toMatch(/5000\d+ bytes; the lane takes 204800/)
    expect(recordsIn(source!)[0]?.value?.equals(forRoute)).toBe(true)
    expect(sink).toMatchObject({ service: 'kafka-egress', reason: 'too_large', count: 1 })
    expect(sink?.detail).toContain('small')
    expect(recordsIn(sink!)[0]?.value?.equals(forTopic)).toBe(true)
    await eventually(async () => (await countOf(whole, 'source.small.0', 'refused')) === 1, { what: 'refused is told' })
    const metric = { service: 'mqtt-ingress-1', metric: 'millrace_records_refused_total', route: 'small' }
    expect(await metricOf(whole, metric)).toBe(1)
    await balances(whole, 'small')
  })
})

describe('what a route names must be there', () => {
  test('a connection that does not exist, or a field that its protocol does not have, is refused, and nothing changes', async () => {
    const documents = [
      route('wrong', { sink: 'laek, topic: x' }),
      route('turned', { sink: 'plant, topic: x, acks: all' }),
    ].join('---')
    const before = await streamInfo(whole.bus, 'KV_mr_routes')
    await expect(whole.apply(documents)).rejects.toThrow(
      /\.yaml:\d+:\d+: .*no such connection.*lake[^]*\.yaml:\d+:\d+: spec\.sink\.acks: unknown field/,
    )
    expect((await streamInfo(whole.bus, 'KV_mr_routes'))?.state.last_seq).toBe(before?.state.last_seq)
  })

  test('a Kafka topic that does not exist holds the lane until it does; one that is deleted, until it is back', async () => {
    await publish(['absent/m', '0'], ['absent/m', '1'])
    expect(await untilProblem(whole, 'sink.absent.0', 'topic_missing')).toContain('Topic absent does not exist: create')
    const { out } = await millrace(whole.fleet, 'status')
    expect(out).toMatch(/absent\/0 sink is holding: Topic absent does not exist/)
    await whole.kafka.createTopic('absent')
    expect((await arrived('absent', 2)).map(({ value }) => String(value))).toEqual(['0', '1'])
    await untilWell(whole, 'sink.absent.0')
    await whole.kafka.deleteTopic('absent')
    await publish(['absent/m', '2'], ['absent/m', '3'])
    await untilProblem(whole, 'sink.absent.0', 'topic_missing')
    await whole.kafka.createTopic('absent', 3)
    const records = await arrived('absent', 2)
    expect(new Set(records.map(({ value }) => String(value)))).toEqual(new Set(['2', '3']))
    await untilWell(whole, 'sink.absent.0')
    await balances(whole, 'absent')
  })
})

test('nothing of it disturbed another route, and no process died', async () => {
  await beside.calm.undisturbed()
  expect(whole.events).toEqual([])
})
