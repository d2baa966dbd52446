import { readDocuments } from '@millrace/routes'
import { describe, expect, test } from 'vitest'
import { lake, ofRoute, plant, problemsOf, route, together, withoutPlace } from './documents.ts'

test('reads connections and routes, with every default filled in', () => {
  const { connections, routes, problems } = readDocuments([
    { file: 'a.yaml', text: route() },
    { file: 'b.yaml', text: `${plant}---\n${lake}` },
  ])
  expect(problems).toEqual([])
  expect(connections).toEqual([
    { name: 'plant', mqtt: { url: 'mqtt://127.0.0.1:1883', version: 5, keepAlive: 30_000 } },
    { name: 'lake', kafka: { brokers: ['127.0.0.1:9092'] } },
  ])
  expect(routes).toEqual([
    {
      name: 'telemetry',
      source: {
        protocol: 'mqtt',
        connection: 'plant',
        topics: ['a/#'],
        qos: 1,
        subscribers: 1,
        sessionExpiry: 604_800_000,
        retained: 'include',
      },
      sink: {
        protocol: 'kafka',
        connection: 'lake',
        topic: 'telemetry',
        partition: 'key',
        acks: 'all',
        compression: 'none',
        batch: { maxRecords: 10_000, maxBytes: 1_000_000 },
      },
      headers: 'lossless',
      delivery: 'atLeastOnce',
      buffer: { maxBytes: 268_435_456 },
      deadLetters: { maxBytes: 67_108_864 },
    },
  ])
})

describe('fields', () => {
  test('an unknown field is told with the nearest known one', () => {
    expect(ofRoute({ sink: ', ack: all' })).toEqual([
      'f:6:47: spec.sink.ack: unknown field; known here: connection, topic, key, partition, createTopic, acks, compression, batch, positionTopic; did you mean "acks"?',
    ])
  })

  test('every field that is missing is told', () => {
    const text = together(route().replace(/source: .*/, 'source: {}'))
    expect(problemsOf(text).map(withoutPlace)).toEqual([
      'spec.source.connection: missing; expected a name',
      'spec.source.topics: missing; expected a list',
    ])
  })

  test('a document with a fault in its text is not among the valid ones', () => {
    const text = together(route({ rest: '  headers: none\n  headers: lossless\n' }))
    const { routes, connections } = readDocuments([{ file: 'f', text }])
    expect(routes).toEqual([])
    expect(connections).toHaveLength(2)
  })

  test('a misspelt field is told once, and not again as missing', () => {
    const text = together(
      route().replace('connection: plant', 'conection: plant').replace('kind: Route', 'knid: Route'),
    )
    expect(problemsOf(text).map(problem => problem.replace(/; known here: [^;]*/, ''))).toEqual([
      'f:2:1: knid: unknown field; did you mean "kind"?',
    ])
    expect(
      ofRoute()
        .concat(problemsOf(text.replace('knid', 'kind')))
        .map(withoutPlace),
    ).toEqual([expect.stringMatching(/^spec.source.conection: unknown field.*did you mean "connection"\?$/)])
  })

  test('a duplicate key is refused where it stands again', () => {
    expect(ofRoute({ rest: '  headers: none\n  headers: lossless\n' })).toEqual(['f:8:3: this key stands here twice'])
  })

  test.each(['__proto__', 'constructor', 'prototype'])('the key %s is refused, and reaches no prototype', key => {
    expect(ofRoute({ rest: `  ${key}: { polluted: true }\n` })).toEqual(['f:7:3: this key has no use here'])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  test.each([
    ['subscribers: "3"', 'spec.source.subscribers: expected a whole number from 1 to 1024'],
    ['subscribers: 0', 'spec.source.subscribers: expected a whole number from 1 to 1024'],
    ['subscribers: -1', 'spec.source.subscribers: expected a whole number from 1 to 1024'],
    ['subscribers: 9007199254740993', 'spec.source.subscribers: expected a whole number from 1 to 1024'],
    ['subscribers: .nan', 'spec.source.subscribers: expected a whole number from 1 to 1024'],
    ['qos: "1"', 'spec.source.qos: expected one of 0, 1, 2; write 1 without quotes'],
    ['qos: 3', 'spec.source.qos: expected one of 0, 1, 2'],
    ['retained: yes', 'spec.source.retained: expected one of include, skip'],
    ['sessionExpiry: 5', 'spec.source.sessionExpiry: expected a duration such as 500ms, 30s, 10m, 12h or 7d'],
    ['sessionExpiry: 1s', 'spec.source.sessionExpiry: expected from 1m to 49710d, in steps of 1s'],
    ['sessionExpiry: 99999999d', 'spec.source.sessionExpiry: expected from 1m to 49710d, in steps of 1s'],
  ])('%s is refused, and nothing coerced', (field, message) => {
    expect(ofRoute({ source: `, ${field}` }).map(withoutPlace)).toEqual([message])
  })

  test.each([
    ['createTopic: { partitions: 0 }', 'spec.sink.createTopic.partitions: expected a whole number from 1 to 10000'],
    ['createTopic: { partitions: -1 }', 'spec.sink.createTopic.partitions: expected a whole number from 1 to 10000'],
    ['createTopic: { partitions: 1e9 }', 'spec.sink.createTopic.partitions: expected a whole number from 1 to 10000'],
    ['createTopic: { config: { retention.ms: 5 } }', 'spec.sink.createTopic.config.retention.ms: expected text'],
    ['acks: "1"', 'spec.sink.acks: expected one of all, 1, 0; write 1 without quotes'],
    [
      'compression: snapy',
      'spec.sink.compression: expected one of none, gzip, snappy, lz4, zstd; did you mean "snappy"?',
    ],
    [
      'partition: kye',
      'spec.sink.partition: expected key, lane, or a template such as "${record.json.line}" (did you mean "key"?)',
    ],
    ['batch: { maxBytes: 1MB }', 'spec.sink.batch.maxBytes: expected a size such as 512B, 64KiB, 256MiB or 1GiB'],
    [
      'batch: { maxBytes: 9007199254740993B }',
      'spec.sink.batch.maxBytes: expected a size such as 512B, 64KiB, 256MiB or 1GiB',
    ],
  ])('%s is refused', (field, message) => {
    expect(ofRoute({ sink: `, ${field}` }).map(withoutPlace)).toEqual([message])
  })

  test('what asks for more than its ends can give is refused, with the reason', () => {
    const [problem] = ofRoute({ rest: '  delivery: exactlyOnce\n' })
    expect(problem).toMatch(/^f:7:13: spec.delivery: exactlyOnce asks for more than MQTT gives/)
  })

  test('a record larger than a quarter of its share of the buffer is refused', () => {
    const [problem] = ofRoute({ rest: '  buffer: { maxBytes: 8MiB }\n  maxRecordBytes: 4MiB\n' })
    expect(problem).toMatch(/^f:8:19: spec.maxRecordBytes: no record may be larger than 2MiB/)
  })
})

test.each(['a/#/b', 'a+', 'a/b#', '#/a', '+a/b', '$share/g/a', '$share//x', '$queue/a', ''])(
  'the topic filter %s is refused',
  filter => {
    const problems = ofRoute({ topics: `[ok/+/x, ${JSON.stringify(filter)}]` })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^f:5:49: spec.source.topics.1: /)
  },
)

test.each(['#', '+', '+/+/#', '/', 'a b/*/>', 'ü/温度', '$SYS/#', '$shared/x'])(
  'the topic filter %s is taken',
  filter => {
    expect(ofRoute({ topics: `[${JSON.stringify(filter)}]` })).toEqual([])
  },
)

test.each([
  ['', 'the text is empty'],
  ['a/b', 'a share name has no /'],
  ['+', 'a share name has no /'],
  ['#', 'a share name has no /'],
  ['ü'.repeat(128), 'a share name has at most 255 bytes'],
])('the share name %j is refused', (shareName, message) => {
  const problems = ofRoute({ topics: `[a], shareName: ${JSON.stringify(shareName)}` })
  expect(problems.join('\n')).toContain(`spec.source.shareName: ${message}`)
})

test('who shares with others is told what that costs', () => {
  const [one, ...more] = ofRoute({ topics: '[a], shareName: "the plant\'s $1"' })
  expect(more).toEqual([])
  expect(one).toContain('warning: spec.source.shareName: what another client with this share name gets')
  const [several] = ofRoute({ topics: '[a], subscribers: 2, shareName: ours' })
  expect(several).toContain('warning: spec.source.subscribers: order is kept within each subscriber only')
})

describe('templates and expressions', () => {
  test.each([
    ['key: "${topic}"', 'f:6:55: spec.sink.key: unknown variable "topic" (did you mean source.topic?)'],
    ['key: "ab${source.topic"', 'f:6:55: spec.sink.key: this ${ is never closed (add })'],
    [
      'partition: "${record.headers}"',
      'f:6:61: spec.sink.partition: a template needs text, a number or a boolean; this yields Headers',
    ],
  ])('%s', (field, message) => expect(ofRoute({ sink: `, ${field}` })).toEqual([message]))

  test('the place inside a text is exact where the text stands as it is', () => {
    expect(ofRoute({ rest: '  filter: record.key == "x" && record.nam == null\n' })).toEqual([
      expect.stringMatching(/^f:7:39: spec.filter: unknown variable "nam"/),
    ])
  })

  test('a topic that the sender chooses whole is told', () => {
    const text = together(route().replace('topic: telemetry', 'topic: "${source.levels[0]}"'))
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^f:6:36: warning: spec.sink.topic: whoever sends a message chooses/),
    ])
  })

  test.each(['../x', 'a b', 'ünicode', '__consumer_offsets', '.', '..', 'x'.repeat(250)])(
    'the Kafka topic %j is refused',
    topic => {
      const text = together(route().replace('topic: telemetry', `topic: ${JSON.stringify(topic)}`))
      expect(problemsOf(text)).toEqual([expect.stringContaining('expected a Kafka topic')])
    },
  )
})

describe('documents among each other', () => {
  test('a missing connection is told with the nearest name', () => {
    expect(problemsOf(together(route().replace('connection: plant', 'connection: plnat')))).toEqual([
      'f:5:25: spec.source.connection: there is no such connection; did you mean "plant"?',
    ])
  })

  test('what a route may say follows from the connections that it names', () => {
    expect(problemsOf(together(route().replace('connection: plant', 'connection: lake')))).toEqual([
      expect.stringMatching(/^f:5:40: spec.source.topics.0: expected a Kafka topic/),
    ])
  })

  test('a connection that has problems of its own is not called missing', () => {
    const problems = problemsOf(together(route()).replace('mqtt://127.0.0.1:1883', 'ftp://127.0.0.1'))
    expect(problems.map(withoutPlace)).toEqual(['spec.mqtt.url: expected mqtt://host:port, mqtts://, ws:// or wss://'])
  })

  test('connections that are known already count', () => {
    const { connections } = readDocuments([{ file: 'c', text: `${plant}---\n${lake}` }])
    expect(readDocuments([{ file: 'f', text: route() }], { connections, routes: [] }).problems).toEqual([])
  })

  test('two of one kind and name are refused, the second where it stands', () => {
    const files = [
      { file: 'a', text: together(route()) },
      { file: 'b', text: route() },
    ]
    const { problems, routes } = readDocuments(files)
    expect(problems).toMatchObject([{ file: 'b', line: 3, column: 19, code: 'duplicate_name' }])
    expect(problems[0]?.message).toContain('at a:3')
    expect(routes).toHaveLength(1)
  })

  test('every problem of every document is told at once, in order', () => {
    const bad = route({ source: ', qs: 1', sink: ', acks: 5, key: "${x}"', rest: '  filtre: "1"\n' })
    const problems = problemsOf(
      together(bad.replace('connection: lake', 'connection: laek').replace('kind: Route', 'kind: Route\nmore: 1')),
    )
    expect(problems.map(problem => problem.split(': ')[1])).toEqual([
      'more',
      'spec.source.qs',
      'spec.sink.connection',
      'spec.sink.acks',
      'spec.sink.key',
      'spec.filtre',
    ])
  })

  test('more than one subscriber, QoS 0 and fewer acks are warned of, and taken', () => {
    const text = together(route({ source: ', subscribers: 2, qos: 0', sink: ', acks: 1' }))
    const { problems, routes } = readDocuments([{ file: 'f', text }])
    expect(problems.map(({ severity, code }) => [severity, code])).toEqual([
      ['warning', 'order'],
      ['warning', 'qos_0'],
      ['warning', 'acks_1'],
    ])
    expect(routes).toHaveLength(1)
  })
})
