/** Routes: one source, one sink, and what happens between (ARCHITECTURE.md 8). All that a user may say of one stands here. */
import type { z } from 'zod'
import type { Protocol } from './connection.ts'
import { duration, fields, oneOf, size, text } from './fields.ts'
import { kafkaSink, type KafkaSink } from './kafka-sink.ts'
import { kafkaSource, type KafkaSource } from './kafka-source.ts'
import { mqttSink, type MqttSink } from './mqtt-sink.ts'
import { mqttSource, type MqttSource } from './mqtt-source.ts'
import { checkExpression } from './route-rules.ts'

/** Where a route's records come from; `protocol` tells what it is. */
export type Source = MqttSource | KafkaSource

/** Where they go. Any source goes to any sink. */
export type Sink = KafkaSink | MqttSink

/** One route, whole: every default is filled in, durations are milliseconds, sizes are bytes. */
export interface Route {
  name: string
  source: Source
  /** CEL; a record that it says false of is left out, and counted. Absent: all pass. */
  filter?: string | undefined
  sink: Sink
  /**
   * What the sink writes as headers, of those that the record carries on the bus. `iotOperations`: by the table of Azure
   * IoT Operations' connectors.
   */
  headers: 'lossless' | 'iotOperations' | 'none'
  /** `exactlyOnce`: from Kafka to Kafka, in transactions. */
  delivery: 'atLeastOnce' | 'exactlyOnce'
  /** The data stream: all lanes of the route share it. */
  buffer: { maxBytes: number }
  /** A larger record becomes a dead letter at the source; see `largestRecord`. */
  maxRecordBytes?: number | undefined
  /** The dead-letter stream. `maxAge` in milliseconds; absent: no limit. */
  deadLetters: { maxBytes: number; maxAge?: number | undefined }
  /** The least level that is logged of it. Absent: the service's own. */
  logLevel?: LogLevel | undefined
}

/** How much is logged of a route: of this severity and above. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

/** A route's `spec`, as written (decode) and as kept (encode). */
export type RouteSpec = Omit<Route, 'name'>

const MiB = 2 ** 20

const deadLetters = fields({
  maxBytes: size({ atLeast: '1MiB', atMost: '1TiB' }).default(64 * MiB),
  maxAge: duration({ atLeast: '1m', atMost: '36500d' }).optional(),
}).prefault({})

/** What all routes can say, whatever their ends. */
const between = {
  headers: oneOf('lossless', 'iotOperations', 'none').default('lossless'),
  delivery: oneOf('atLeastOnce', 'exactlyOnce').default('atLeastOnce'),
  buffer: fields({ maxBytes: size({ atLeast: '4MiB', atMost: '1TiB' }).default(256 * MiB) }).prefault({}),
  maxRecordBytes: size({ atLeast: '1KiB', atMost: '1GiB' }).optional(),
  deadLetters,
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error').optional(),
}

const sources: Record<Protocol, z.ZodType<Source>> = { mqtt: mqttSource, kafka: kafkaSource }
const sinks: Record<Protocol, z.ZodType<Sink>> = { mqtt: mqttSink, kafka: kafkaSink }

/** One for each pair of ends: what the source speaks, then what the sink does. */
export type ByEnds<T> = Record<Protocol, Record<Protocol, T>>

/** Makes one for each pair. */
export function byEnds<T>(make: (source: Protocol, sink: Protocol) => T): ByEnds<T> {
  const from = (source: Protocol) => ({ mqtt: make(source, 'mqtt'), kafka: make(source, 'kafka') })
  return { mqtt: from('mqtt'), kafka: from('kafka') }
}

/** The schema of a route's `spec`: it depends on what the connections at its ends speak. */
export const routeSpecs: ByEnds<z.ZodType<RouteSpec>> = byEnds((source, sink) =>
  fields({ source: sources[source], filter: text().check(checkExpression).optional(), sink: sinks[sink], ...between }),
)

/** The route's source, which speaks this protocol. Throws TypeError where it speaks another: it was placed wrongly. */
export function sourceOf<P extends Protocol>(route: Route, protocol: P): Extract<Source, { protocol: P }> {
  const { source } = route
  if (speaks(source, protocol)) return source
  throw new TypeError(`The source of route ${route.name} speaks ${source.protocol}, not ${protocol}.`)
}

/** The route's sink, which speaks this protocol. Throws TypeError where it speaks another: it was placed wrongly. */
export function sinkOf<P extends Protocol>(route: Route, protocol: P): Extract<Sink, { protocol: P }> {
  const { sink } = route
  if (speaks(sink, protocol)) return sink
  throw new TypeError(`The sink of route ${route.name} speaks ${sink.protocol}, not ${protocol}.`)
}

function speaks<End extends Source | Sink, P extends Protocol>(
  end: End,
  protocol: P,
): end is Extract<End, { protocol: P }> {
  return end.protocol === protocol
}

/** The service that runs the route's source actors. */
export const sourceService = ({ source }: Route): `${Protocol}-ingress` => `${source.protocol}-ingress`

/** The service that runs the route's sink actors. */
export const sinkService = ({ sink }: Route): `${Protocol}-egress` => `${sink.protocol}-egress`

/** Partitions come and go while a route runs, and no lane knows how many there are: each counts on a quarter. */
const kafkaShares = 4

/**
 * The bytes of the largest record that a lane of this route takes: what the route says, and never more than a quarter
 * of the lane's share of the buffer (ARCHITECTURE.md 3), so that a record always finds room once others have gone. An
 * MQTT subscriber's share is exact; a Kafka partition's is taken to be a quarter of the buffer.
 */
export function largestRecord(route: Route): number {
  const shares = route.source.protocol === 'mqtt' ? route.source.subscribers : kafkaShares
  const quarter = Math.floor(route.buffer.maxBytes / shares / 4)
  return Math.min(route.maxRecordBytes ?? quarter, quarter)
}
