import { compileTemplate, connectionDocument, readDocuments, routeDocument } from '@millrace/routes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { connector, down, topicMap, translated, up } from './iot-mq-documents.ts'

/** The one route of a map. */
function routeOf(map: Parameters<typeof topicMap>[0], hub: Parameters<typeof connector>[0] = {}) {
  const [route] = Object.values(translated(connector(hub), topicMap(map)).routes)
  if (route === undefined) throw new Error(told(map).join('\n'))
  return route
}
const told = (map: Parameters<typeof topicMap>[0]) => translated(connector(), topicMap(map)).told
const notes = (map: Parameters<typeof topicMap>[0]) => translated(connector(), topicMap(map)).notes
const eventHubs = {
  kafka: `endpoint: "ns.servicebus.windows.net:9093", tls: { tlsEnabled: true }, authentication: { enabled: true, authType: { systemAssignedManagedIdentity: { audience: a } } }`,
}

test('mqttToKafka is a route from the local broker to Kafka', () => {
  expect(routeOf({})).toMatchObject({
    name: 'map-up',
    source: { protocol: 'mqtt', connection: 'hub-local', topics: ['a/#'], qos: 1, subscribers: 1 },
    sink: { protocol: 'kafka', connection: 'hub', topic: 't', partition: 'key', acks: 1, compression: 'none' },
    headers: 'none',
    delivery: 'atLeastOnce',
  })
})

test('kafkaToMqtt is a route from Kafka to the local broker', () => {
  expect(routeOf({ routes: [down] })).toMatchObject({
    name: 'map-down',
    source: { protocol: 'kafka', connection: 'hub', topics: ['t'], group: 'down', start: 'committed' },
    sink: { protocol: 'mqtt', connection: 'hub-local', topic: 'b', qos: 1 },
    headers: 'none',
  })
})

test('the group is the route’s name, behind the prefix where there is one', () => {
  expect(routeOf({ routes: [down.replace('name', 'consumerGroupId: pre, name')] }).source).toMatchObject({
    group: 'pre-down',
    start: 'committed',
  })
  expect(notes({ routes: [down] }).join()).toContain('kafkaToMqtt.name: reading begins where the group down has got to')
  expect(told({ routes: [down.replace('name', 'consumerGroupId: pre, name')] }).join()).toContain(
    'kafkaToMqtt.consumerGroupId: reading begins where the group pre-down has got to, else with the first record; how',
  )
})

test.each([
  ['zero', 0],
  ['one', 1],
  ['all', 'all'],
])('kafkaAcks %s is acks %s', (kafkaAcks, acks) => {
  expect(routeOf({ routes: [up.replace('name', `kafkaAcks: ${kafkaAcks}, name`)] }).sink).toMatchObject({ acks })
})

test('qos is the subscription’s, or the publish’s', () => {
  expect(routeOf({ routes: [up.replace('name', 'qos: 0, name')] }).source).toMatchObject({ qos: 0 })
  expect(routeOf({ routes: [down.replace('name', 'qos: 0, name')] }).sink).toMatchObject({ qos: 0 })
})

test('a shared subscription has as many subscribers, and is shared under its group’s name', () => {
  const shared = (share: number) =>
    up.replace('name', `sharedSubscription: { groupName: g, groupMinimumShareNumber: ${share} }, name`)
  expect(routeOf({ routes: [shared(3)] }).source).toMatchObject({ subscribers: 3, shareName: 'g' })
  expect(routeOf({ routes: [shared(0)] }).source).toMatchObject({ subscribers: 1, shareName: 'g' })
  expect(routeOf({}).source).not.toHaveProperty('shareName')
  expect(told({ routes: [shared(1)] }).join()).toContain(
    'f:13:62: warning: spec.routes.0.mqttToKafka.sharedSubscription.groupName: what another client with this share name',
  )
  expect(told({ routes: [shared(3).replace('groupName: g', 'groupName: g/1')] }).join()).toContain(
    'mqttToKafka.sharedSubscription.groupName: a share name has no /',
  )
})

test('a shared subscription has no effect on the way to MQTT', () => {
  const shared = down.replace('name', 'sharedSubscription: { groupName: g, groupMinimumShareNumber: 3 }, name')
  expect(routeOf({ routes: [shared] }).sink).toMatchObject({ protocol: 'mqtt' })
  expect(told({ routes: [shared] }).join()).toContain('kafkaToMqtt.sharedSubscription: has no effect')
})

describe('the connector’s logLevel', () => {
  test.each(['trace', 'debug', 'info', 'warn', 'error'])('%s is that of its routes', logLevel => {
    const { routes } = translated(connector({ rest: `  logLevel: ${logLevel}\n` }), topicMap({ routes: [up, down] }))
    expect(Object.values(routes)).toMatchObject([{ logLevel }, { logLevel }])
  })

  test('fatal is error, and none is the services’ own', () => {
    expect(routeOf({}, { rest: '  logLevel: fatal\n' })).toMatchObject({ logLevel: 'error' })
    expect(translated(connector({ rest: '  logLevel: fatal\n' })).notes.join()).toContain('its routes log errors')
    expect(routeOf({})).not.toHaveProperty('logLevel')
  })

  test('is known in the same command only, and that is told', () => {
    const known = readDocuments([{ file: 'f', text: connector({ rest: '  logLevel: debug\n' }) }]).connections
    const { routes, problems } = readDocuments([{ file: 'f', text: topicMap() }], { connections: known, routes: [] })
    expect(routes[0]).not.toHaveProperty('logLevel')
    expect(problems.map(({ message }) => message).join()).toContain('spec.kafkaConnectorRef: its routes log as the')
  })
})

describe('copyMqttProperties', () => {
  test.each([
    ['true', 'iotOperations'],
    ['"true"', 'iotOperations'],
    ['false', 'none'],
    ['"false"', 'none'],
  ])('%s makes headers %s, of each route', (copy, headers) => {
    const { routes } = translated(
      connector(),
      topicMap({ rest: `  copyMqttProperties: ${copy}\n`, routes: [up, down] }),
    )
    expect(Object.values(routes).map(route => route.headers)).toEqual([headers, headers])
  })
})

describe('compression', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4'])('%s is itself', compression => {
    expect(routeOf({ rest: `  compression: ${compression}\n` }).sink).toMatchObject({ compression })
  })

  test.each([
    ['gzip', []],
    ['snappy', [expect.stringContaining('Event Hubs refuses snappy: the route will run uncompressed')]],
    ['lz4', [expect.stringContaining('Event Hubs refuses lz4: the route will run uncompressed')]],
  ])('%s to Event Hubs is itself, and what is refused is told', (compression, warnings) => {
    const map = { rest: `  compression: ${compression}\n` }
    expect(routeOf(map, eventHubs).sink).toMatchObject({ compression })
    const about = translated(connector(eventHubs), topicMap(map)).told.filter(one => one.includes('spec.compression'))
    expect(about).toEqual(warnings)
  })
})

describe('batching', () => {
  const batch = (fields: string) => ({ rest: `  batching: { ${fields} }\n` })

  test('that is enabled bounds what goes out together, and how long that is waited for', () => {
    expect(routeOf(batch('enabled: true, latencyMs: 65535, maxMessages: 100, maxBytes: 1024')).sink).toMatchObject({
      batch: { linger: 65_535, maxRecords: 100, maxBytes: 1024 },
    })
    const defaults = { linger: 5, maxRecords: 100_000, maxBytes: 1_000_000 }
    expect(routeOf(batch('enabled: true')).sink).toMatchObject({ batch: defaults })
    expect(routeOf(batch('enabled: true, latencyMs: 0')).sink).toMatchObject({ batch: { linger: 0 } })
  })

  test('that is not is as if it were not there', () => {
    expect(routeOf(batch('maxMessages: 5')).sink).toEqual(routeOf({}).sink)
    expect(notes(batch('enabled: false')).join()).toContain('goes out together all the same')
  })

  test('beyond what a batch can have is taken as the most, or the least, and told', () => {
    const map = batch('enabled: true, maxMessages: 0, maxBytes: 4294967295')
    expect(routeOf(map).sink).toMatchObject({ batch: { maxRecords: 1, maxBytes: 2 ** 30 } })
    expect(routeOf(map, eventHubs).sink).toMatchObject({ batch: { maxRecords: 1, maxBytes: 1_000_000 } })
    expect(told(map).join()).toMatch(/maxMessages: is taken as 1: .*maxBytes: is taken as 1073741824: /)
  })
})

describe('partitionStrategy', () => {
  test('default has no key', () => {
    expect(routeOf({ rest: '  partitionStrategy: default\n' }).sink).toEqual(routeOf({}).sink)
    expect(routeOf({}).sink).not.toHaveProperty('key')
  })

  test('static is a partition for each of as many subscribers as the connector has instances', () => {
    const { source, sink } = routeOf({ rest: '  partitionStrategy: static\n' })
    expect({ source, sink }).toMatchObject({ source: { subscribers: 2 }, sink: { partition: 'lane' } })
  })

  test('static of more instances than may share a subscription is told', () => {
    const told = (instances: number) =>
      translated(
        connector().replace('instances: 2', `instances: ${instances}`),
        topicMap({ rest: '  partitionStrategy: static\n' }),
      ).told.join()
    expect(told(1025)).toContain(
      'spec.partitionStrategy: a route has at most 1024 subscribers: not a partition for each',
    )
    expect(told(1024)).not.toContain('partitionStrategy')
  })

  test('static needs the connector in the same command', () => {
    const known = readDocuments([{ file: 'f', text: connector() }]).connections
    const text = topicMap({ rest: '  partitionStrategy: static\n' })
    const { problems } = readDocuments([{ file: 'f', text }], { connections: known, routes: [] })
    expect(problems.find(({ severity }) => severity === 'error')?.message).toContain('give the KafkaConnector')
  })

  test('topic has the MQTT topic as the key', () => {
    expect(routeOf({ rest: '  partitionStrategy: topic\n' }).sink).toMatchObject({ key: '${source.topic}' })
  })

  test.each([
    ['device-id', 'device-id'],
    ['user.x', 'user.user.x'],
    ['a"}b', 'a"}b'],
  ])('property %s has its value as the key', (property, header) => {
    const { sink } = routeOf({
      rest: `  partitionStrategy: property\n  partitionKeyProperty: ${JSON.stringify(property)}\n`,
    })
    const key = compileTemplate(('key' in sink && sink.key) || '')
    const input = { key: null, value: null, time: -1, topic: null, partition: null, offset: null, device: null }
    expect(key({ ...input, header: name => (name === header ? 'it' : null) })).toBe('it')
    expect(key({ ...input, header: () => null })).toBeNull()
  })

  test('property needs to know which, and no other strategy does', () => {
    expect(told({ rest: '  partitionStrategy: property\n' }).join()).toContain('partitionKeyProperty: missing')
    expect(told({ rest: '  partitionKeyProperty: x\n' }).join()).toContain('has no effect without partitionStrategy')
  })
})

describe('kafkaConnectorRef', () => {
  test('of no connector is an error, once, with the nearest name', () => {
    const problems = told({ connector: 'hob', routes: [up, down] }).filter(one => !one.includes('warning'))
    expect(problems).toEqual(['f:12:22: spec.kafkaConnectorRef: there is no such connector; did you mean "hub"?'])
  })

  test('may be of one that was applied before', () => {
    const known = readDocuments([{ file: 'f', text: connector(eventHubs) }]).connections
    const { routes, problems } = readDocuments([{ file: 'f', text: topicMap({ rest: '  compression: lz4\n' }) }], {
      connections: known,
      routes: [],
    })
    expect(routes.map(route => route.sink)).toMatchObject([{ connection: 'hub', compression: 'lz4' }])
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  })
})

test.each([
  [{ routes: [up.replace('a/#', 'a/#/b')] }, 'f:13:50: spec.routes.0.mqttToKafka.mqttTopic: # stands at the end only'],
  [
    { routes: [down.replace('mqttTopic: b', 'mqttTopic: b/+')] },
    'spec.routes.0.kafkaToMqtt.mqttTopic: a topic that is',
  ],
  [{ routes: [down.replace('mqttTopic: b', 'mqttTopic: "${record.key}"')] }, 'it can have no ${'],
  [{ routes: [up.replace('kafkaTopic: t', 'kafkaTopic: "/t/"')] }, 'kafkaTopic: expected a Kafka topic'],
  [{ routes: [up.replace('name: up, ', '')] }, 'spec.routes.0.mqttToKafka.name: missing'],
  [{ routes: [up.replace('name', 'qos: 2, name')] }, 'qos: expected one of 0, 1'],
  [{ routes: [up.replace('name', 'kafkaAcks: 1, name')] }, 'kafkaAcks: expected one of zero, one, all'],
  [{ routes: [up.replace('mqttTopic', 'mqtTopic')] }, 'mqtTopic: unknown field; known here: name, mqttTopic'],
  [{ routes: [`${up}, ${down}`] }, 'exactly one of these must stand here: mqttToKafka, kafkaToMqtt'],
  [{ routes: [] }, 'routes: the list is empty'],
  [{ routes: [up, up] }, 'there is another Route of this name, at f:13'],
  [{ rest: '  compression: zstd\n' }, 'compression: expected one of none, gzip, snappy, lz4'],
  [{ rest: '  copyMqttProperties: yes\n' }, 'expected one of true, false'],
  [{ routes: [up.replace('a/#', '$share/g/a')] }, 'is not written as a topic (write the plain topic, and the group in'],
  [{ rest: '  partitionStrategy: random\n' }, 'expected one of default, static, topic, property'],
  [{ rest: '  batching: { enabled: true, latencyMs: 70000 }\n' }, 'expected a whole number from 0 to 65535'],
])('%#: what is wrong is told where it stands', (map, message) => expect(told(map).join('\n')).toContain(message))

test('a field that is wrong is told once, and not what its default would be', () => {
  const acks = told({ routes: [up.replace('name', 'kafkaAcks: 1, name')] }).filter(one => one.includes('kafkaAcks'))
  expect(acks).toEqual([expect.stringContaining('expected one of zero, one, all')])
})

test('a circle through a map is told where it stands', () => {
  const circle = [up.replace('a/#', 'b/#'), down.replace('mqttTopic: b', 'mqttTopic: b/c')]
  expect(told({ routes: circle }).join('\n')).toContain(
    'f:13:67: spec.routes.0.mqttToKafka.kafkaTopic: what it writes comes back to it for ever',
  )
})

const choices = fc.record({
  compression: fc.constantFrom('none', 'gzip', 'snappy', 'lz4'),
  partitionStrategy: fc.constantFrom('default', 'static', 'topic', 'property'),
  partitionKeyProperty: fc.constantFrom('device-id', 'mqtt.x', 'a b'),
  copyMqttProperties: fc.constantFrom(true, false, 'true', 'false'),
  batching: fc.record(
    { enabled: fc.boolean(), latencyMs: fc.nat({ max: 65_535 }), maxMessages: fc.nat(), maxBytes: fc.nat() },
    { requiredKeys: [] },
  ),
})

/** What a connector says of its clients and their logs. */
const own = '  clientIdPrefix: my-prefix\n  logLevel: debug\n'

test('documents that are converted mean what they meant before, whatever they say', () => {
  fc.assert(
    fc.property(choices, fc.constantFrom({}, eventHubs, { rest: own }), (spec, hub) => {
      const lines = Object.entries(spec).map(([field, value]) => `  ${field}: ${JSON.stringify(value)}\n`)
      const text = [connector(hub), topicMap({ rest: lines.join(''), routes: [up, down] })].join('---\n')
      const read = readDocuments([{ file: 'f', text }])
      const native = [...read.connections.map(connectionDocument), ...read.routes.map(routeDocument)]
      expect(native).toHaveLength(4)
      const again = readDocuments([{ file: 'g', text: native.map(one => JSON.stringify(one)).join('\n---\n') }])
      expect(again.connections).toEqual(read.connections)
      expect(again.routes).toEqual(read.routes)
      expect(again.problems.filter(({ severity }) => severity === 'error')).toEqual([])
    }),
  )
})
