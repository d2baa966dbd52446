/** What fields say together, and documents among each other: everything that one field's own schema can't see. */
import { isLoopback } from './connection-rules.ts'
import type { Connection } from './connection.ts'
import { mqttEndpoint } from './mqtt-connection.ts'
import type { KnownConnections } from './ends.ts'
import { checkHubSink, isEventHubs } from './event-hubs.ts'
import { meant } from './fields.ts'
import { errorAt, type Finding, warningAt } from './finding.ts'
import { type Lowered, loweredByRoute } from './guarantee.ts'
import { largestRecord, type Route } from './route.ts'
import { isTemplate } from './template.ts'
import { formatSize } from './units.ts'

/** What is worth a word about a connection that is valid. */
export function checkConnection({ mqtt }: Connection): Finding[] {
  if (mqtt?.auth?.password === undefined && mqtt?.auth?.token === undefined) return []
  const { host, tls, webSocket } = mqttEndpoint(mqtt)
  if (tls !== null || isLoopback(host)) return []
  const secret = mqtt.auth.token === undefined ? 'password' : 'token'
  const message = `the ${secret} crosses the network in clear; use ${webSocket === null ? 'mqtts' : 'wss'}://`
  return [warningAt(['mqtt', 'url'], 'password_in_clear', message)]
}

/** What a route's fields say together. */
export function checkRoute(route: Route): Finding[] {
  const findings = loweredByRoute(route).map(({ code, message }) => warningAt(loweredAt[code] ?? [], code, message))
  if (route.maxRecordBytes !== undefined && route.maxRecordBytes > largestRecord(route)) {
    const most = formatSize(largestRecord(route))
    const message = `no record may be larger than ${most}, a quarter of each lane's share of buffer.maxBytes`
    findings.push(errorAt(['maxRecordBytes'], 'no_room', message))
  }
  if (route.source.protocol === 'mqtt' && route.source.subscribers > 1) {
    const message = 'order is kept within each subscriber only, and brokers send shared ones no retained messages'
    findings.push(warningAt(['source', 'subscribers'], 'order', message))
  }
  return [...findings, ...checkDelivery(route), ...checkTemplatedTopic(route), ...checkVariables(route)]
}

/** The field that lowers the guarantee. */
const loweredAt: { readonly [code in Lowered['code']]?: string[] } = {
  qos_0: ['source', 'qos'],
  publish_qos_0: ['sink', 'qos'],
  acks_0: ['sink', 'acks'],
  acks_1: ['sink', 'acks'],
}

/** R14: what asks for more than its ends can give is refused. */
function checkDelivery({ source, sink, delivery }: Route): Finding[] {
  const refused = (message: string) => [errorAt(['delivery'], 'delivery', message)]
  if (delivery === 'atLeastOnce') {
    if (sink.protocol === 'mqtt' || sink.positionTopic === undefined) return []
    const message = 'the position is committed in Kafka only with delivery: exactlyOnce'
    return [warningAt(['sink', 'positionTopic'], 'no_effect', message)]
  }
  if (source.protocol === 'mqtt') {
    return refused('exactlyOnce asks for more than MQTT gives: a broker sends again what it saw no acknowledgement for')
  }
  if (sink.protocol === 'mqtt') {
    return refused('exactlyOnce asks for more than MQTT takes: what a broker did not acknowledge is published again')
  }
  if (sink.acks !== 'all') return refused('exactlyOnce needs acks: all: Kafka has no transactions without')
  if (isTemplate(sink.topic) && sink.positionTopic === undefined) {
    return refused('exactlyOnce needs sink.positionTopic, a topic that exists, where sink.topic is a template')
  }
  if (source.isolation === 'readCommitted') return []
  const message = 'records of transactions that are aborted are read, and delivered exactly once'
  return [warningAt(['source', 'isolation'], 'uncommitted', message)]
}

function checkTemplatedTopic({ sink }: Route): Finding[] {
  if (!isTemplate(sink.topic)) return []
  const path = ['sink', 'topic']
  const open = sink.topic.startsWith('${') && sink.topic.endsWith('}') && sink.topic.lastIndexOf('${') === 0
  const chosen = 'whoever sends a message chooses any topic of the cluster; put a fixed prefix before the ${'
  const missing = 'a record for a topic that the cluster does not have becomes a dead letter (no_topic)'
  if (sink.protocol === 'mqtt') return []
  return [warningAt(path, 'templated_topic', open ? `${chosen}; ${missing}` : missing)]
}

/** What the source does not have reads as null. */
function checkVariables({ source, filter, sink }: Route): Finding[] {
  const texts: [string[], string | undefined][] = [
    [['filter'], filter],
    [['sink', 'topic'], sink.topic],
    ...(sink.protocol === 'mqtt' ? [] : templatesOf(sink)),
  ]
  const absent =
    source.protocol === 'mqtt' ? /\bsource\s*\.\s*(?:partition|offset|device)\b/ : /\bsource\s*\.\s*device\b/
  return texts.flatMap(([path, text]) => {
    const [name] = absent.exec(text ?? '') ?? []
    const message = `${name} is always null: the source is ${source.protocol === 'mqtt' ? 'MQTT' : 'Kafka'}`
    return name === undefined ? [] : [warningAt(path, 'always_null', message)]
  })
}

const templatesOf = ({
  key,
  partition,
}: {
  key?: string | undefined
  partition: string
}): [string[], string | undefined][] => [
  [['sink', 'key'], key],
  [['sink', 'partition'], partition],
]

/** What a route and the connections at its ends say together. */
export function checkEnds({ sink, ...route }: Route, known: KnownConnections): Finding[] {
  const connection = known.get(sink.connection)
  return sink.protocol === 'kafka' && connection?.kafka && isEventHubs(connection.kafka)
    ? checkHubSink(route, sink)
    : []
}

/** Whether both ends name connections that there are. What is no name is told by the schema. */
export function checkReferences(ends: { source: unknown; sink: unknown }, known: KnownConnections): Finding[] {
  return [...checkReference('source', ends.source, known), ...checkReference('sink', ends.sink, known)]
}

function checkReference(end: 'source' | 'sink', name: unknown, known: KnownConnections): Finding[] {
  if (typeof name !== 'string' || known.has(name)) return []
  const message = `there is no such connection${meant(name, [...known.keys()])}`
  return [errorAt([end, 'connection'], 'missing_connection', message)]
}
