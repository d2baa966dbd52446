/**
 * Connections: how to reach one outside system, in the protocol's own words (ARCHITECTURE.md 8). Secrets are only named here;
 * `resolveCredentials` reads them where they are needed.
 */
import type { z } from 'zod'
import { exactlyOne } from './fields.ts'
import { kafkaConnection, type KafkaConnection } from './kafka-connection.ts'
import { mqttConnection, type MqttConnection } from './mqtt-connection.ts'

/** One outside system, under the name that routes use. Exactly one of the protocols is there. */
export interface Connection {
  name: string
  mqtt?: MqttConnection | undefined
  kafka?: KafkaConnection | undefined
}

/** What a connection speaks. */
export type Protocol = 'mqtt' | 'kafka'

/** The protocol of a connection: the one that is there. */
export const protocolOf = ({ mqtt }: Connection): Protocol => (mqtt === undefined ? 'kafka' : 'mqtt')

/** A connection's `spec`, as written (decode) and as kept (encode). */
export type ConnectionSpec = Omit<Connection, 'name'>

export const connectionSpec: z.ZodType<ConnectionSpec> = exactlyOne({
  mqtt: mqttConnection.optional(),
  kafka: kafkaConnection.optional(),
})
