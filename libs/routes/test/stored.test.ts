import {
  type Connection,
  connectionDocument,
  diff,
  largestRecord,
  meaningOf,
  mqttEndpoint,
  parseStored,
  readDocuments,
  type Route,
  routeDocument,
  storedConnection,
  storedRoute,
} from '@millrace/routes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { between, lake, plant, route, together } from './documents.ts'

/** A valid text's connections and routes. */
function read(text: string): { connections: Map<string, Connection>; routes: Map<string, Route> } {
  const { connections, routes, problems } = readDocuments([{ file: 'f', text }])
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  return {
    connections: new Map(connections.map(connection => [connection.name, connection])),
    routes: new Map(routes.map(route => [route.name, route])),
  }
}

/** As it is kept: through JSON. */
const keep = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const keepAll = ({ connections, routes }: ReturnType<typeof read>) => ({
  connections: Object.fromEntries([...connections].map(([name, value]) => [name, keep(storedConnection(value))])),
  routes: Object.fromEntries([...routes].map(([name, value]) => [name, keep(storedRoute(value))])),
})

const options = fc.record(
  {
    qos: fc.constantFrom(0, 1, 2),
    subscribers: fc.integer({ min: 1, max: 1024 }),
    shareName: fc.constantFrom('ours', '"a group"'),
    sessionExpiry: fc.constantFrom('1m', '90s', '7d', '49710d'),
    retained: fc.constantFrom('include', 'skip'),
  },
  { requiredKeys: [] },
)
const sinkOptions = fc.record(
  {
    key: fc.constantFrom('"${source.levels[0]}"', '"fixed"', '"${record.headers.x}"'),
    partition: fc.constantFrom('key', 'lane', '"${record.json.p}"'),
    createTopic: fc.constantFrom('{}', '{ partitions: 3, replicas: null, config: { retention.ms: "1000" } }'),
    acks: fc.constantFrom('all', 1, 0),
    compression: fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd'),
    positionTopic: fc.constant('positions'),
    batch: fc.constantFrom('{}', '{ maxBytes: 1MiB, maxRecords: 1 }', '{ linger: 0ms }', '{ linger: 2m }'),
  },
  { requiredKeys: [] },
)
const more = (fields: object) =>
  Object.entries(fields)
    .map(([name, value]) => `, ${name}: ${String(value)}`)
    .join('')

const kafkaOptions = fc.record(
  {
    start: fc.constantFrom(
      'earliest',
      'latest',
      'committed',
      '{ time: 2026-01-31T12:00:00.5Z }',
      '{ time: 0 }',
      '{ offsets: { orders: { 0: 5, 1: "9007199254740993" } } }',
    ),
    onGap: fc.constantFrom('stop', 'earliest'),
    isolation: fc.constantFrom('readCommitted', 'readUncommitted'),
    group: fc.constantFrom('g', '"a group"'),
  },
  { requiredKeys: [] },
)
const publishOptions = fc.record(
  {
    qos: fc.constantFrom(1, 2, 'keep'),
    retain: fc.constantFrom(true, false, 'keep'),
    onNoSubscribers: fc.constantFrom('done', 'hold'),
    onExpired: fc.constantFrom('drop', 'deadLetter'),
  },
  { requiredKeys: [] },
)
const anySource = fc.oneof(
  options.map(fields => `connection: plant, topics: [a/b/#]${more(fields)}`),
  kafkaOptions.map(fields => `connection: lake, topics: [orders, /x-.*/]${more(fields)}`),
)
const anySink = fc.oneof(
  sinkOptions.map(fields => `connection: lake, topic: telemetry${more(fields)}`),
  publishOptions.map(fields => `connection: plant, topic: 'out/\${record.key}'${more(fields)}`),
)
const inBetween = fc.record({
  headers: fc.constantFrom('lossless', 'iotOperations', 'none'),
  filter: fc.constantFrom('record.key != null', 'record.time != null'),
  logLevel: fc.constantFrom('trace', 'error'),
})

test('what is kept is read as what it was, and kept as it was, whatever the ends and their fields', () => {
  fc.assert(
    fc.property(anySource, anySink, inBetween, (source, sink, fields) => {
      const rest = Object.entries(fields).map(([name, value]) => `  ${name}: ${value}\n`)
      const before = read(together(between(source, sink, { rest: rest.join('') })))
      const { connections, routes, problems } = parseStored(keepAll(before))
      expect(problems).toEqual([])
      expect({ connections, routes }).toEqual(before)
      expect(keepAll({ connections, routes })).toEqual(keepAll(before))
    }),
  )
})

test('a kept route is a document that a user could have written', () => {
  const { connections, routes } = read(together(route({ rest: '  maxRecordBytes: 1MiB\n' })))
  const documents = [...[...connections.values()].map(connectionDocument), ...[...routes.values()].map(routeDocument)]
  const again = readDocuments([
    { file: 'f', text: documents.map(document => JSON.stringify(document)).join('\n---\n') },
  ])
  expect(again.problems).toEqual([])
  expect(again.routes).toEqual([...routes.values()])
  expect(keep(documents.at(-1))).toMatchObject({
    spec: { buffer: { maxBytes: '256MiB' }, source: { sessionExpiry: '7d' } },
  })
})

test('one bad route that was kept leaves the others', () => {
  const specs = keepAll(read(together(route())))
  const stored = parseStored({
    connections: { ...specs.connections, broken: { kafka: { brokers: 'x' } }, none: null },
    routes: {
      ...specs.routes,
      garbage: 5,
      future: { source: {}, sink: {}, teleport: true },
      orphan: { ...Object(specs.routes.telemetry), source: { connection: 'gone', topics: ['a'] } },
    },
  })
  expect([...stored.routes.keys()]).toEqual(['telemetry'])
  expect([...stored.connections.keys()]).toEqual(['plant', 'lake'])
  expect(new Set(stored.problems.map(({ kind, name }) => `${kind} ${name}`))).toEqual(
    new Set(['Connection broken', 'Connection none', 'Route garbage', 'Route future', 'Route orphan']),
  )
  expect(stored.problems.map(({ message }) => message)).toContain(
    'Route orphan: source.connection: there is no such connection',
  )
})

test('anything at all may have been kept', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.anything()),
      fc.dictionary(fc.string(), fc.anything()),
      (connections, routes) => {
        expect(parseStored({ connections, routes }).routes.size).toBe(0)
      },
    ),
  )
})

describe('diff', () => {
  const before = read(together(route()))
  const other = route().replace('name: telemetry', 'name: other')

  test('the same is unchanged, whatever the order of its fields', () => {
    expect(diff(before, read([lake, plant, route()].join('---\n'))).map(({ change }) => change)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ])
  })

  test('a changed field is told with both values, as a user writes them', () => {
    const after = read(together(route({ topics: '[b/#]', source: ', sessionExpiry: 1d' })))
    const changed = diff(before, after).filter(({ change }) => change !== 'unchanged')
    expect(changed).toEqual([
      {
        kind: 'Route',
        name: 'telemetry',
        change: 'changed',
        connections: [],
        fields: [
          { path: 'source.topics', before: ['a/#'], after: ['b/#'] },
          { path: 'source.sessionExpiry', before: '7d', after: '1d' },
        ],
      },
    ])
    expect(changed[0]?.fields.map(meaningOf)).toEqual([
      'new filters are subscribed to, new partitions read; those that are gone are not any more; what was acknowledged or stored stays',
      'its sources connect anew',
    ])
  })

  test('another connection of the source is told to mean the same broker, for coordinators refuse any other', () => {
    const second = plant.replace('name: plant', 'name: second')
    const text = [route(), plant, second, lake, other].join('---\n')
    const changes = diff(read(text), read(text.replace('connection: plant', 'connection: second')))
    const [field] = changes.flatMap(({ fields }) => fields)
    expect(field === undefined ? '' : meaningOf(field)).toContain('another broker is refused')
  })

  test('a route comes, a route goes, and the others stay', () => {
    const after = read([other, plant, lake].join('---\n'))
    expect(diff(before, after).map(({ name, change }) => [name, change])).toEqual([
      ['lake', 'unchanged'],
      ['plant', 'unchanged'],
      ['other', 'new'],
      ['telemetry', 'removed'],
    ])
  })

  test('a changed connection touches the routes that name it, and no other', () => {
    const second = plant.replace('name: plant', 'name: second')
    const text = [route(), plant, lake, second, other.replace('connection: plant', 'connection: second')].join('---\n')
    const changes = diff(read(text), read(text.replace('mqtt://127.0.0.1:1883', 'mqtt://127.0.0.1:1884')))
    expect(
      changes.filter(({ change }) => change === 'changed').map(({ name, connections }) => [name, connections]),
    ).toEqual([
      ['plant', []],
      ['telemetry', ['plant']],
    ])
  })
})

test('an endpoint has its port by default, and its TLS', () => {
  const keepAlive = 30_000
  expect(mqttEndpoint({ url: 'mqtt://h', version: 5, keepAlive })).toEqual({
    host: 'h',
    port: 1883,
    tls: null,
    webSocket: null,
  })
  const tls = { verify: true, insecure: false }
  expect(mqttEndpoint({ url: 'mqtts://h', version: 5, keepAlive })).toEqual({
    host: 'h',
    port: 8883,
    tls,
    webSocket: null,
  })
  expect(mqttEndpoint({ url: 'mqtts://[::1]:99', version: 5, keepAlive, tls: { ...tls, caFile: 'ca' } })).toEqual({
    host: '::1',
    port: 99,
    tls: { ...tls, caFile: 'ca' },
    webSocket: null,
  })
})

const largest = (source: string, rest: string) =>
  [...read(together(route({ source, rest }))).routes.values()].map(largestRecord)

test('the largest record is a quarter of a lane’s share, or less where the route says so', () => {
  expect(largest('', '')).toEqual([64 * 2 ** 20])
  expect(largest(', subscribers: 4', '')).toEqual([16 * 2 ** 20])
  expect(largest('', '  maxRecordBytes: 5MiB\n')).toEqual([5 * 2 ** 20])
})
