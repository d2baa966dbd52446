import { readDocuments, type Route, sinkOf, sinkService, sourceOf, sourceService, topicMatcher } from '@millrace/routes'
import { describe, expect, test } from 'vitest'
import { between, problemsOf, together, withoutPlace } from './documents.ts'

const kafka = 'connection: lake, topics: [orders]'
const mqtt = 'connection: plant, topics: [a/+]'
const toKafka = 'connection: lake, topic: copy'
const toMqtt = 'connection: plant, topic: out/x'

/** The problems of a route between these ends. */
const of = (from: string, to: string, rest = '') => problemsOf(together(between(from, to, { rest }))).map(withoutPlace)

function read(from: string, to: string): Route {
  const { routes, problems } = readDocuments([{ file: 'f', text: together(between(from, to)) }])
  expect(problems).toEqual([])
  const [route] = routes
  if (route === undefined) throw new Error('no route')
  return route
}

test.each([
  [mqtt, toKafka, 'mqtt-ingress', 'kafka-egress'],
  [mqtt, toMqtt, 'mqtt-ingress', 'mqtt-egress'],
  [kafka, toKafka, 'kafka-ingress', 'kafka-egress'],
  [kafka, toMqtt, 'kafka-ingress', 'mqtt-egress'],
])('{ %s } goes to { %s }', (from, to, source, sink) => {
  const route = read(from, to)
  expect([sourceService(route), sinkService(route)]).toEqual([source, sink])
})

test('the other ends have their defaults', () => {
  const { source, sink } = read(kafka, toMqtt)
  expect(source).toEqual({
    protocol: 'kafka',
    connection: 'lake',
    topics: ['orders'],
    start: 'earliest',
    onGap: 'stop',
    isolation: 'readCommitted',
  })
  expect(sink).toEqual({
    protocol: 'mqtt',
    connection: 'plant',
    topic: 'out/x',
    qos: 1,
    onNoSubscribers: 'done',
    onExpired: 'drop',
  })
})

test('an end of another protocol than a service expects is an error that names both', () => {
  const route = read(kafka, toMqtt)
  expect(sourceOf(route, 'kafka').topics).toEqual(['orders'])
  expect(sinkOf(route, 'mqtt').qos).toBe(1)
  expect(() => sourceOf(route, 'mqtt')).toThrow('The source of route r speaks kafka, not mqtt.')
  expect(() => sinkOf(route, 'kafka')).toThrow('The sink of route r speaks mqtt, not kafka.')
})

test('where a connection is missing, the rest is still checked by what it looks like', () => {
  const problems = of('connection: gone, topics: [orders], onGap: stop', 'connection: gone, topic: x, qos: 5')
  expect(problems).toEqual([
    'spec.source.connection: there is no such connection',
    'spec.sink.connection: there is no such connection',
    expect.stringMatching(/^spec.sink.qos: /),
  ])
})

describe('Kafka sources', () => {
  test.each([
    ['start: latest', 'latest'],
    ['start: committed', 'committed'],
    ['start: { time: 2026-01-31 }', { time: Date.UTC(2026, 0, 31) }],
    ['start: { time: "2026-01-31T12:00:00+01:00" }', { time: Date.UTC(2026, 0, 31, 11) }],
    ['start: { time: 1700000000000 }', { time: 1_700_000_000_000 }],
    ['start: { offsets: { orders: { 0: 5, 1: "0" } } }', { offsets: { orders: { '0': '5', '1': '0' } } }],
    [
      'start: { offsets: { orders: { 7: "9223372036854775807" } } }',
      { offsets: { orders: { '7': '9223372036854775807' } } },
    ],
  ])('%s', (field, start) => expect(read(`${kafka}, ${field}`, toMqtt).source).toMatchObject({ start }))

  test.each([
    ['start: newest', 'spec.source.start: expected one of earliest, latest, committed'],
    ['start: 5', 'spec.source.start: expected a map of fields'],
    ['start: {}', 'spec.source.start: exactly one of these must stand here: time, offsets'],
    ['start: { tiem: 5 }', 'spec.source.start.tiem: unknown field; known here: time, offsets; did you mean "time"?'],
    ['start: { time: yesterday }', 'spec.source.start.time: expected a date with its zone'],
    ['start: { time: "2026-01-31T12:00:00" }', 'spec.source.start.time: expected a date with its zone'],
    ['start: { time: 2026-13-31 }', 'spec.source.start.time: expected a date with its zone'],
    ['start: { time: -1 }', 'spec.source.start.time: expected a date with its zone'],
    ['start: { time: 1.5 }', 'spec.source.start.time: expected a date with its zone'],
    ['start: { offsets: { orders: { 0: -1 } } }', 'spec.source.start.offsets.orders.0: expected an offset'],
    [
      'start: { offsets: { orders: { 0: 9007199254740993 } } }',
      'spec.source.start.offsets.orders.0: expected an offset',
    ],
    ['start: { offsets: { orders: { 0: "9223372036854775808" } } }', 'start.offsets.orders.0: expected an offset'],
    ['start: { offsets: { orders: { a: 1 } } }', "spec.source.start.offsets.orders.a: expected a partition's number"],
    ['start: { offsets: { other: { 0: 1 } } }', 'spec.source.start.offsets.other: this source reads no such topic'],
    ['onGap: latest', 'spec.source.onGap: expected one of stop, earliest'],
    ['isolation: committed', 'spec.source.isolation: expected one of readCommitted, readUncommitted'],
    [`group: ${'g'.repeat(256)}`, 'spec.source.group: '],
    ['qos: 1', 'spec.source.qos: unknown field'],
  ])('%s is refused', (field, message) => {
    expect(of(`${kafka}, ${field}`, toMqtt)).toEqual([expect.stringContaining(message)])
  })

  test.each(['/a', 'a/b', '__consumer_offsets', '/a(/', '/(a+)+/', '/a(?=b)/', ''])(
    'the topic %j is refused',
    topic => {
      expect(of(`connection: lake, topics: [${JSON.stringify(topic)}]`, toMqtt)).toEqual([
        expect.stringMatching(/^spec\.source\.topics\.0: /),
      ])
    },
  )

  test('a pattern is of the whole name, and never finds Kafka’s own topics', () => {
    const isRead = topicMatcher(['orders', '/plant-.+|x/', '/.*offsets/'])
    const names = ['orders', 'orders2', 'plant-1', 'a-plant-1', 'x', 'xy', '__consumer_offsets', 'my-offsets']
    expect(names.filter(isRead)).toEqual(['orders', 'plant-1', 'x', 'my-offsets'])
  })
})

describe('MQTT sinks', () => {
  test.each([
    ['qos: keep', { qos: 'keep' }],
    ['retain: false', { retain: false }],
    ['onNoSubscribers: hold, onExpired: deadLetter', { onNoSubscribers: 'hold', onExpired: 'deadLetter' }],
  ])('%s', (field, fields) => expect(read(kafka, `${toMqtt}, ${field}`).sink).toMatchObject(fields))

  test.each([
    ['retain: "true"', 'spec.sink.retain: expected one of true, false, keep; write true without quotes'],
    ['qos: 3', 'spec.sink.qos: expected one of 0, 1, 2, keep'],
    ['onExpired: hold', 'spec.sink.onExpired: expected one of drop, deadLetter'],
    ['acks: all', 'spec.sink.acks: unknown field'],
  ])('%s is refused', (field, message) => {
    expect(of(kafka, `${toMqtt}, ${field}`)).toEqual([expect.stringContaining(message)])
  })

  test('onNoSubscribers: hold held nothing at QoS 0, and said nothing', () => {
    const problems = (qos: string) => of(kafka, `${toMqtt}, onNoSubscribers: hold, qos: ${qos}`)
    expect(problems('0')).toContain(
      'spec.sink.onNoSubscribers: brokers answer no message of qos 0: nothing would be held',
    )
    expect(problems('keep').join()).toMatch(/^warning: spec.sink.onNoSubscribers: records whose own QoS is 0/)
    expect(problems('1')).toEqual([])
  })

  test.each(['a/#', 'a/+/b', '+${record.key}', 'a${record.key}/#', 'x'.repeat(65_536)])(
    'the topic %s is refused',
    topic => {
      expect(of(kafka, `connection: plant, topic: "${topic}"`)).toEqual([
        expect.stringMatching(/^spec\.sink\.topic: a topic/),
      ])
    },
  )

  test.each(['${record.key}', 'a/${record.headers["x"]}/b', 'a b/ü', '${source.levels[0]}'])(
    'the topic %s is taken',
    topic => {
      expect(of(kafka, `connection: plant, topic: '${topic}'`)).toEqual([])
    },
  )
})

describe('what routes and connections say together', () => {
  const old = '{ mqtt: { url: "mqtt://127.0.0.1", version: 3.1.1 } }'
  const hub = '{ kafka: { brokers: [127.0.0.1:9092], profile: eventHubs } }'
  const other = (spec: string) =>
    `apiVersion: millrace.dev/v1\nkind: Connection\nmetadata: { name: other }\nspec: ${spec}\n`
  const against = (spec: string, from: string, to: string, rest = '') =>
    problemsOf(`${together(between(from, to, { rest }))}---\n${other(spec)}`).map(withoutPlace)

  test('MQTT 3.1.1 does not say whether anybody subscribes', () => {
    const to = 'connection: other, topic: x, onNoSubscribers: hold'
    expect(against(old, kafka, to, '  headers: none\n')).toEqual([
      expect.stringMatching(/^spec.sink.onNoSubscribers: MQTT 3.1.1 does not say/),
    ])
  })

  test('MQTT 3.1.1 has no properties', () => {
    expect(against(old, kafka, 'connection: other, topic: x')).toEqual([
      expect.stringMatching(/^warning: spec.sink.connection: MQTT 3.1.1 has no properties/),
    ])
  })

  test('shared subscriptions are of MQTT v5', () => {
    const problems = (fields: string) => against(old, `connection: other, topics: [a], ${fields}`, toKafka).join('\n')
    expect(problems('subscribers: 2')).toContain('source.subscribers: shared subscriptions are of MQTT v5')
    expect(problems('shareName: ours')).toContain('source.shareName: shared subscriptions are of MQTT v5')
  })

  test.each([
    [
      'compression: snappy',
      '',
      'warning: spec.sink.compression: Event Hubs refuses snappy: the route will run uncompressed',
    ],
    ['compression: zstd', '', 'warning: spec.sink.compression: Event Hubs refuses zstd'],
    ['createTopic: {}', '', 'spec.sink.createTopic: Event Hubs makes no topics'],
    ['batch: { maxBytes: 1MiB }', '', 'spec.sink.batch.maxBytes: Event Hubs closes the connection'],
    [
      'acks: all',
      '  maxRecordBytes: 2MiB\n',
      'warning: spec.maxRecordBytes: Event Hubs takes at most 1046528 bytes: a larger record becomes a dead letter',
    ],
    ['acks: all', '  delivery: exactlyOnce\n', 'warning: spec.delivery: Event Hubs has transactions'],
  ])('Event Hubs and %s %s', (field, rest, message) => {
    const to = `connection: other, topic: x, ${field}`
    expect(against(hub, kafka, to, rest)).toEqual([expect.stringContaining(message)])
  })

  test('Event Hubs takes gzip, and is a source like any other', () => {
    expect(against(hub, 'connection: other, topics: [a]', 'connection: other, topic: x, compression: gzip')).toEqual([])
  })
})

describe('headers: iotOperations', () => {
  const rest = '  headers: iotOperations\n'
  test('from MQTT to MQTT it says nothing', () => {
    expect(of(mqtt, toMqtt, rest)).toEqual([expect.stringMatching(/^warning: spec.headers: iotOperations is about/)])
  })

  test.each([
    [mqtt, toKafka],
    [kafka, toMqtt],
  ])('from { %s } to { %s } it is as its vendor has it', (from, to) => expect(of(from, to, rest)).toEqual([]))
})

describe('captures', () => {
  const level = (filters: string, expression: string) =>
    of(`connection: plant, topics: [${filters}]`, `connection: lake, topic: t, key: "${expression}"`)

  test.each([
    ['a/+/c', '${source.levels[2]}'],
    ['a/#', '${source.levels[9]}'],
    ['a/+', '${size(source.levels) > 5 ? source.levels[5] : source.topic}'],
  ])('%s has %s', (filters, expression) => expect(level(filters, expression)).toEqual([]))

  test('a level that no topic has is refused, where it stands', () => {
    expect(level('a/+, b', 'x-${source.levels[2]}')).toEqual([
      expect.stringMatching(/^spec.sink.key: source.levels\[2\] is never there/),
    ])
    const text = together(between(mqtt, 'connection: lake, topic: t, key: "x-${source.levels[2]}"'))
    expect(problemsOf(text)[0]).toMatch(/^f:6:49: /)
  })

  test('a level that some topics do not have is told', () => {
    expect(level('a/+, b', '${source.levels[1]}')).toEqual([
      expect.stringMatching(/^warning: spec.sink.key: source.levels\[1\] is not there in topics of b/),
    ])
  })

  test('a Kafka topic has one level', () => {
    expect(of(kafka, 'connection: plant, topic: "x/${source.levels[1]}"')).toEqual([
      expect.stringMatching(/^spec.sink.topic: source.levels\[1\] is never there.*mqtt.topic/),
    ])
  })

  test.each([
    [mqtt, 'source.partition'],
    [kafka, 'source.device'],
  ])('from { %s }, %s is always null', (from, name) => {
    const template = `x/$\{${name}}`
    expect(of(from, `connection: plant, topic: '${template}'`).join()).toContain(`${name} is always null`)
    expect(of(from, toMqtt, `  filter: ${name} == 1\n`).join()).toContain(`spec.filter: ${name} is always null`)
  })
})

describe('delivery: exactlyOnce', () => {
  const rest = '  delivery: exactlyOnce\n'
  const template = 'connection: lake, topic: "x-${record.key}"'

  test('is for Kafka at both ends', () => {
    expect(of(kafka, toKafka, rest)).toEqual([])
    expect(of(kafka, toMqtt, rest).join()).toContain('spec.delivery: exactlyOnce asks for more than MQTT takes')
    expect(of(mqtt, toKafka, rest).join()).toContain('spec.delivery: exactlyOnce asks for more than MQTT gives')
  })

  test('needs acks: all', () => {
    expect(of(kafka, `${toKafka}, acks: 1`, rest).join()).toContain('spec.delivery: exactlyOnce needs acks: all')
  })

  test('needs a topic for its position where a template makes the topics', () => {
    const missing = 'spec.delivery: exactlyOnce needs sink.positionTopic'
    expect(of(kafka, template, rest).join()).toContain(missing)
    expect(of(kafka, `${template}, positionTopic: positions`, rest).join()).not.toContain(missing)
    expect(of(kafka, `${toKafka}, positionTopic: positions`)).toEqual([
      expect.stringMatching(/^warning: spec.sink.positionTopic: the position is committed in Kafka only with/),
    ])
  })

  test('of what was aborted is told', () => {
    expect(of(`${kafka}, isolation: readUncommitted`, toKafka, rest)).toEqual([
      expect.stringMatching(/^warning: spec.source.isolation: /),
    ])
  })
})
