/** What fields say together, and documents among each other: everything that one field's own schema can't see. */
import { isLoopback } from './connection-rules.ts'
import { type Connection, mqttEndpoint } from './connection.ts'
import { meant } from './fields.ts'
import { formatSize } from './units.ts'
import { errorAt, type Finding, warningAt } from './finding.ts'
import { loweredByRoute } from './guarantee.ts'
import { largestRecord, type Route } from './route.ts'
import { isTemplate } from './template.ts'

/** What is worth a word about a connection that is valid. */
export function checkConnection({ mqtt }: Connection): Finding[] {
  if (mqtt?.auth?.password === undefined) return []
  const { host, tls } = mqttEndpoint(mqtt)
  if (tls !== null || isLoopback(host)) return []
  return [warningAt(['mqtt', 'url'], 'password_in_clear', 'the password crosses the network in clear; use mqtts://')]
}

/** What a route's fields say together. */
export function checkRoute(route: Route): Finding[] {
  const findings = loweredByRoute(route).map(({ code, message }) =>
    warningAt(code === 'qos_0' ? ['source', 'qos'] : ['sink', 'acks'], code, message),
  )
  if (route.maxRecordBytes !== undefined && route.maxRecordBytes > largestRecord(route)) {
    const most = formatSize(largestRecord(route))
    const message = `no record may be larger than ${most}, a quarter of each subscriber's share of buffer.maxBytes`
    findings.push(errorAt(['maxRecordBytes'], 'no_room', message))
  }
  if (route.source.subscribers > 1) {
    const message = 'order is kept within each subscriber only, and brokers send shared ones no retained messages'
    findings.push(warningAt(['source', 'subscribers'], 'order', message))
  }
  return [...findings, ...checkTemplatedTopic(route), ...checkVariables(route)]
}

function checkTemplatedTopic({ sink }: Route): Finding[] {
  if (!isTemplate(sink.topic)) return []
  const path = ['sink', 'topic']
  const open = sink.topic.startsWith('${') && sink.topic.endsWith('}') && sink.topic.lastIndexOf('${') === 0
  const chosen = 'whoever sends a message chooses any topic of the cluster; put a fixed prefix before the ${'
  const missing = 'a record for a topic that the cluster does not have becomes a dead letter (no_topic)'
  return [warningAt(path, 'templated_topic', open ? `${chosen}; ${missing}` : missing)]
}

/** An MQTT message has no partition, offset or device: they read as null. */
function checkVariables({ filter, sink }: Route): Finding[] {
  const texts: [string[], string | undefined][] = [
    [['filter'], filter],
    [['sink', 'key'], sink.key],
    [['sink', 'topic'], sink.topic],
    [['sink', 'partition'], sink.partition],
  ]
  return texts.flatMap(([path, text]) => {
    const [name] = /\bsource\s*\.\s*(?:partition|offset|device)\b/.exec(text ?? '') ?? []
    return name === undefined ? [] : [warningAt(path, 'always_null', `${name} is always null: the source is MQTT`)]
  })
}

/** Connections by name; undefined is one that exists and is not valid, so that nothing can be said of its use. */
export type KnownConnections = ReadonlyMap<string, Connection | undefined>

/** Whether both ends name connections that there are, of the right protocol. What is no name is told by the schema. */
export function checkReferences(ends: { source: unknown; sink: unknown }, known: KnownConnections): Finding[] {
  return [...checkReference('source', 'mqtt', ends.source, known), ...checkReference('sink', 'kafka', ends.sink, known)]
}

function checkReference(
  end: 'source' | 'sink',
  protocol: 'mqtt' | 'kafka',
  name: unknown,
  known: KnownConnections,
): Finding[] {
  if (typeof name !== 'string') return []
  const connection = known.get(name)
  const path = [end, 'connection']
  if (!known.has(name)) {
    return [errorAt(path, 'missing_connection', `there is no such connection${meant(name, [...known.keys()])}`)]
  }
  if (connection === undefined || connection[protocol] !== undefined) return []
  const message = `a ${end} of this version speaks ${protocol}, and this connection does not`
  return [errorAt(path, 'wrong_protocol', message)]
}
