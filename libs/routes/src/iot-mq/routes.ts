/** A `KafkaConnectorTopicMap` -> a route for each of its routes. */
import { type Derived, derive, from, type Translation } from '../derived.ts'
import { meant } from '../fields.ts'
import { errorAt, type Finding } from '../finding.ts'
import { consumerGroup } from './consumer-group.ts'
import { differences } from './differences.ts'
import type { ConnectorFacts, Connectors } from './known-connectors.ts'
import { legalName } from '../legal-name.ts'
import { localName } from './local-name.ts'
import { batchOf, partitioningOf } from './sink.ts'
import type { KafkaToMqtt, MqttToKafka, TopicMap } from './topic-map.ts'

/** One route of a map on its way: what the map says of all its routes stands beside it. */
interface Mapped<Mapping> {
  map: TopicMap
  route: Mapping
  facts: ConnectorFacts
  /** Where the route stands. */
  path: PropertyKey[]
}

/** The routes are called `<topic map>-<route>`. */
export function routesOf(map: TopicMap, connectors: Connectors): Translation {
  const facts = connectors.get(legalName(map.spec.kafkaConnectorRef)) ?? { isEventHubs: false }
  const documents = map.spec.routes.flatMap(({ mqttToKafka, kafkaToMqtt }, index) => {
    const path = (direction: string) => ['spec', 'routes', index, direction]
    return [
      ...(mqttToKafka ? [toKafka({ map, route: mqttToKafka, facts, path: path('mqttToKafka') })] : []),
      ...(kafkaToMqtt ? [toMqtt({ map, route: kafkaToMqtt, path: path('kafkaToMqtt'), facts })] : []),
    ]
  })
  return { findings: [...checkConnector(map, connectors), ...differences(map, facts)], documents }
}

function toKafka({ map: { metadata, spec }, route, facts, path }: Mapped<MqttToKafka>): Derived {
  const reference = ['spec', 'kafkaConnectorRef']
  const acks = { zero: 0, one: 1, all: 'all' } as const
  const { key, partition, subscribers } = partitioningOf(spec, facts)
  return derive({
    kind: 'Route',
    name: from([...path, 'name'], legalName(`${metadata.name}-${route.name}`)),
    spec: {
      source: {
        connection: from(reference, localName(spec.kafkaConnectorRef)),
        topics: from([...path, 'mqttTopic'], [route.mqttTopic]),
        qos: from([...path, 'qos'], route.qos),
        subscribers: from([...path, 'sharedSubscription'], sharers(route) ?? subscribers),
        shareName: from([...path, 'sharedSubscription', 'groupName'], route.sharedSubscription?.groupName),
      },
      sink: {
        connection: from(reference, legalName(spec.kafkaConnectorRef)),
        topic: from([...path, 'kafkaTopic'], route.kafkaTopic),
        key: from(['spec', 'partitionKeyProperty'], key),
        partition: from(['spec', 'partitionStrategy'], partition),
        acks: from([...path, 'kafkaAcks'], acks[route.kafkaAcks]),
        compression: from(['spec', 'compression'], spec.compression),
        batch: from(['spec', 'batching'], batchOf(spec, facts)),
      },
      headers: headersOf(spec),
      logLevel: from(reference, facts.logLevel),
    },
    whole: path,
  })
}

function toMqtt({ map: { metadata, spec }, route, facts, path }: Mapped<KafkaToMqtt>): Derived {
  const reference = ['spec', 'kafkaConnectorRef']
  return derive({
    kind: 'Route',
    name: from([...path, 'name'], legalName(`${metadata.name}-${route.name}`)),
    spec: {
      source: {
        connection: from(reference, legalName(spec.kafkaConnectorRef)),
        topics: from([...path, 'kafkaTopic'], [route.kafkaTopic]),
        start: from([...path, 'consumerGroupId'], 'committed'),
        group: from([...path, 'consumerGroupId'], consumerGroup(route)),
      },
      sink: {
        connection: from(reference, localName(spec.kafkaConnectorRef)),
        topic: from([...path, 'mqttTopic'], route.mqttTopic),
        qos: from([...path, 'qos'], route.qos),
      },
      headers: headersOf(spec),
      logLevel: from(reference, facts.logLevel),
    },
    whole: path,
  })
}

const headersOf = ({ copyMqttProperties }: TopicMap['spec']) =>
  from(['spec', 'copyMqttProperties'], String(copyMqttProperties) === 'true' ? 'iotOperations' : 'none')

/** How many clients share the subscription. */
const sharers = ({ sharedSubscription }: MqttToKafka): number | undefined =>
  sharedSubscription && Math.max(1, sharedSubscription.groupMinimumShareNumber)

function checkConnector({ spec }: TopicMap, connectors: Connectors): Finding[] {
  const name = legalName(spec.kafkaConnectorRef)
  if (connectors.has(name)) return []
  const message = `there is no such connector${meant(name, [...connectors.keys()])}`
  return [errorAt(['spec', 'kafkaConnectorRef'], 'missing_connection', message)]
}
