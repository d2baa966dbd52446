/** What fields say together, and documents among each other: everything that one field's own schema can't see. */
import { checkCaptures } from './captures.ts'
import { isLoopback } from './connection-rules.ts'
import type { Connection } from './connection.ts'
import { checkHubSink } from './hub-sink.ts'
import { mqttEndpoint } from './mqtt-connection.ts'
import { isShared } from './mqtt-source.ts'
import { checkMqttVersion } from './mqtt-version.ts'
import { checkDelivery } from './delivery.ts'
import type { KnownConnections } from './ends.ts'
import { isEventHubs } from './event-hubs.ts'
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
  const finding = warningAt(['mqtt', 'url'], 'password_in_clear', `the ${secret} crosses the network in clear`)
  return [{ ...finding, hint: `use ${webSocket === null ? 'mqtts' : 'wss'}://` }]
}

/** What a route's fields say together. */
export function checkRoute(route: Route): Finding[] {
  const findings = loweredByRoute(route).map(({ code, message }) => warningAt(loweredAt[code] ?? [], code, message))
  if (route.maxRecordBytes !== undefined && route.maxRecordBytes > largestRecord(route)) {
    const most = formatSize(largestRecord(route))
    const message = `no record may be larger than ${most}, a quarter of each lane's share of buffer.maxBytes`
    findings.push(errorAt(['maxRecordBytes'], 'no_room', message))
  }
  const more = [checkSharing, checkDelivery, checkTemplatedTopic, checkHold, checkHeaders, checkCaptures]
  return [...findings, ...more.flatMap(check => check(route))]
}

function checkSharing({ source }: Route): Finding[] {
  if (source.protocol !== 'mqtt' || !isShared(source)) return []
  if (source.subscribers > 1) {
    const message = 'order is kept within each subscriber only, and brokers send shared ones no retained messages'
    return [warningAt(['source', 'subscribers'], 'order', message)]
  }
  const message =
    'what another client with this share name gets does not come here; and brokers send shared ones no retained messages'
  return [warningAt(['source', 'shareName'], 'shared', message)]
}

/** The field that lowers the guarantee. */
const loweredAt: { readonly [code in Lowered['code']]?: string[] } = {
  qos_0: ['source', 'qos'],
  publish_qos_0: ['sink', 'qos'],
  acks_0: ['sink', 'acks'],
  acks_1: ['sink', 'acks'],
}

function checkTemplatedTopic({ sink }: Route): Finding[] {
  if (sink.protocol === 'mqtt' || !isTemplate(sink.topic)) return []
  const path = ['sink', 'topic']
  const open = sink.topic.startsWith('${') && sink.topic.endsWith('}') && sink.topic.lastIndexOf('${') === 0
  const chosen = 'whoever sends a message chooses any topic of the cluster; put a fixed prefix before the ${'
  const missing = 'a record for a topic that the cluster does not have becomes a dead letter (no_topic)'
  return [warningAt(path, 'templated_topic', open ? `${chosen}; ${missing}` : missing)]
}

/** Whether anybody subscribes stands in the answer to a PUBLISH, and one of QoS 0 has none. */
function checkHold({ sink }: Route): Finding[] {
  if (sink.protocol !== 'mqtt' || sink.onNoSubscribers !== 'hold') return []
  const path = ['sink', 'onNoSubscribers']
  if (sink.qos === 0) return [errorAt(path, 'no_effect', 'brokers answer no message of qos 0: nothing would be held')]
  if (sink.qos !== 'keep') return []
  const message = 'records whose own QoS is 0 (mqtt.qos) are not held: brokers answer no message of QoS 0'
  return [warningAt(path, 'no_effect', message)]
}

/** The table of Azure IoT Operations is about Kafka's headers. */
function checkHeaders({ source, sink, headers }: Route): Finding[] {
  if (headers !== 'iotOperations' || sink.protocol !== 'mqtt' || source.protocol !== 'mqtt') return []
  const message = 'iotOperations is about the headers of Kafka: from MQTT to MQTT a message goes as it came'
  return [warningAt(['headers'], 'no_effect', message)]
}

/** What a route and the connections at its ends say together. */
export function checkEnds(route: Route, known: KnownConnections): Finding[] {
  const { source, sink } = route
  const ends = { source: known.get(source.connection), sink: known.get(sink.connection) }
  const isHub = ends.sink?.kafka !== undefined && isEventHubs(ends.sink.kafka)
  const hub = isHub && sink.protocol === 'kafka' ? checkHubSink(route, sink) : []
  return [...hub, ...checkMqttVersion(route, ends)]
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
