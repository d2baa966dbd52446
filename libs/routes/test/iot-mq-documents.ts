/** The resources of Azure IoT MQ for tests: valid ones, and what they become. */
import { type Connection, formatProblem, readDocuments, type Route } from '@millrace/routes'

/** A connector with these lines in its spec beside `instances`, and this Kafka connection. */
export function connector({
  rest = '',
  kafka = 'endpoint: "h:9093", tls: { tlsEnabled: true }',
  name = 'hub',
} = {}): string {
  return `apiVersion: mq.iotoperations.azure.com/v1beta1
kind: KafkaConnector
metadata: { name: ${name} }
spec:
  instances: 2
  kafkaConnection: { ${kafka} }
${rest}`
}

export const up = 'mqttToKafka: { name: up, mqttTopic: a/#, kafkaTopic: t }'
export const down = 'kafkaToMqtt: { name: down, kafkaTopic: t, mqttTopic: b }'

/** A topic map with these routes, each in YAML's flow style, and these lines in its spec. */
export function topicMap({ rest = '', routes = [up], name = 'map', connector = 'hub' } = {}): string {
  return `apiVersion: mq.iotoperations.azure.com/v1beta1
kind: KafkaConnectorTopicMap
metadata: { name: ${name} }
spec:
  kafkaConnectorRef: ${connector}
  routes: [${routes.map(one => `{ ${one} }`).join(', ')}]
${rest}`
}

/** What documents become, by name, and what is told of them without notes. */
export function translated(...documents: string[]): {
  connections: Record<string, Connection>
  routes: Record<string, Route>
  told: string[]
  notes: string[]
} {
  const read = readDocuments([{ file: 'f', text: documents.join('---\n') }])
  const told = (isNote: boolean) =>
    read.problems.filter(({ severity }) => (severity === 'note') === isNote).map(formatProblem)
  return {
    connections: Object.fromEntries(read.connections.map(one => [one.name, one])),
    routes: Object.fromEntries(read.routes.map(one => [one.name, one])),
    told: told(false),
    notes: told(true),
  }
}
