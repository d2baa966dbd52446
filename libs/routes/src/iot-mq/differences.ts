/** What of a topic map means something else here than it did there, each told once, where it stands. */
import { errorAt, type Finding, noteAt, warningAt } from '../finding.ts'
import { legalName } from '../legal-name.ts'
import { consumerGroup } from './consumer-group.ts'
import type { ConnectorFacts } from './known-connectors.ts'
import { batchLimits, mostSubscribers } from './sink.ts'
import type { KafkaToMqtt, TopicMap } from './topic-map.ts'

type Spec = TopicMap['spec']
type Path = readonly PropertyKey[]

/** All of them, in the order of the document. */
export function differences({ metadata, spec }: TopicMap, facts: ConnectorFacts): Finding[] {
  const routes = spec.routes.flatMap(({ mqttToKafka, kafkaToMqtt }, index) => {
    const [up, down] = ['mqttToKafka', 'kafkaToMqtt'].map(direction => ['spec', 'routes', index, direction])
    const called = (name: string, path: Path) => renamed(`${metadata.name}-${name}`, path)
    return [
      ...(mqttToKafka && up ? called(mqttToKafka.name, up) : []),
      ...(kafkaToMqtt && down ? [...called(kafkaToMqtt.name, down), ...ofReading(kafkaToMqtt, down)] : []),
    ]
  })
  const all = [ofConnector(facts), ofBatching(spec, facts), ofPartitions(spec, facts), routes]
  return all.flat()
}

/** Where only the connections of a connector are known, what else it says of its routes is not. */
function ofConnector({ instances }: ConnectorFacts): Finding[] {
  if (instances !== undefined) return []
  const message = 'its routes log as the services do: give the KafkaConnector in the same command for its logLevel'
  return [noteAt(['spec', 'kafkaConnectorRef'], 'differs', message)]
}

function ofBatching(spec: Spec, facts: ConnectorFacts): Finding[] {
  const path = ['spec', 'batching']
  if (spec.batching === undefined) return []
  if (!spec.batching.enabled) {
    const message =
      'what has come while a delivery was under way goes out together all the same; nothing waits for more'
    return [noteAt([...path, 'enabled'], 'differs', message)]
  }
  const { records, bytes, hubBytes } = batchLimits
  return [
    ...ofLimit(spec.batching.maxMessages, records, [...path, 'maxMessages']),
    ...ofLimit(spec.batching.maxBytes, facts.isEventHubs ? hubBytes : bytes, [...path, 'maxBytes']),
  ]
}

function ofLimit(value: number, [least, most]: readonly [number, number], path: Path): Finding[] {
  if (value >= least && value <= most) return []
  return [warningAt(path, 'differs', `is taken as ${value < least ? least : most}: a batch has ${least} to ${most}`)]
}

function ofPartitions(spec: Spec, { instances }: ConnectorFacts): Finding[] {
  const { partitionStrategy, partitionKeyProperty } = spec
  const path = ['spec', 'partitionStrategy']
  if (partitionKeyProperty !== undefined && partitionStrategy !== 'property') {
    const message = 'has no effect without partitionStrategy: property'
    return [warningAt(['spec', 'partitionKeyProperty'], 'no_effect', message)]
  }
  if (partitionStrategy !== 'static') return []
  if (instances === undefined) {
    const message = "takes its partitions from the connector's instances: give the KafkaConnector in the same command"
    return [errorAt(path, 'missing_instances', message)]
  }
  const message = 'a partition for each subscriber: as many as the connector has instances, or share a subscription'
  const note = noteAt(path, 'differs', message)
  if (instances <= mostSubscribers) return [note]
  const fewer = `a route has at most ${mostSubscribers} subscribers: not a partition for each of ${instances} instances`
  return [note, warningAt(path, 'differs', fewer)]
}

/** Reading goes on where the connector's group had got to, if that is what it was called; nobody shares a subscription. */
function ofReading(route: KafkaToMqtt, path: Path): Finding[] {
  const { consumerGroupId, sharedSubscription } = route
  const begins = `reading begins where the group ${consumerGroup(route)} has got to, else with the first record`
  const unsure = 'how the connector joined prefix and name is not documented: look which group there is'
  const start =
    consumerGroupId === undefined
      ? noteAt([...path, 'name'], 'start', `${begins}: stop the connector first`)
      : warningAt([...path, 'consumerGroupId'], 'start', `${begins}; ${unsure}; convert, and say it in source.group`)
  if (sharedSubscription === undefined) return [start]
  const shared = 'has no effect: partitions are shared out by themselves'
  return [start, warningAt([...path, 'sharedSubscription'], 'no_effect', shared)]
}

function renamed(name: string, path: Path): Finding[] {
  const legal = legalName(name)
  return legal === name ? [] : [noteAt([...path, 'name'], 'renamed', `the route is called ${legal} here`)]
}
