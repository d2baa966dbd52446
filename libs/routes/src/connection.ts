/**
 * Connections: how to reach one outside system, in the protocol's own words (ARCHITECTURE.md 8). Secrets are only named here;
 * `resolveCredentials` reads them where they are needed.
 */
import { z } from 'zod'
import { checkBroker, checkMqttUrl, insecureAuth, insecureTls, tlsNeedsMqtts } from './connection-rules.ts'
import { duration, exactlyOne, fields, flag, hostName, list, oneOf, secretName, text } from './fields.ts'

/** How TLS is spoken. What is absent is Node's default: the system's trusted authorities, the host's own name. */
export interface Tls {
  /** A file of trusted authorities (PEM). A relative path is looked for in the folder of secrets. */
  caFile?: string | undefined
  /** The same from a secret: its key `ca.crt`. Never together with `caFile`. */
  caSecretName?: string | undefined
  /** The name that the server's certificate must bear, and SNI. */
  servername?: string | undefined
  /** False: any certificate will do. Refused unless `insecure: true` stands beside it. */
  verify: boolean
  insecure: boolean
}

/** A secret by its name. Its keys: `username` and `password`, or `tls.crt` and `tls.key`. */
export interface SecretReference {
  secretName: string
}

/** Exactly one of them. */
export interface MqttAuth {
  password?: SecretReference | undefined
  x509?: SecretReference | undefined
}

/** An MQTT v5 broker. */
export interface MqttConnection {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`; see `mqttEndpoint`. */
  url: string
  /** Absent: no user name, no certificate. */
  auth?: MqttAuth | undefined
  /** Only with `mqtts:`. */
  tls?: Tls | undefined
  /** Milliseconds, whole seconds: MQTT's Keep Alive. */
  keepAlive: number
}

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512'

/** Exactly one of them. */
export interface KafkaAuth {
  sasl?: { mechanism: SaslMechanism; secretName: string } | undefined
  x509?: SecretReference | undefined
}

/** A Kafka cluster. */
export interface KafkaConnection {
  /** The bootstrap servers, each `host:port`. */
  brokers: string[]
  /** Absent: in clear. */
  tls?: Tls | undefined
  auth?: KafkaAuth | undefined
}

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

const reference = fields({ secretName: secretName() })

const tls = fields({
  caFile: text().optional(),
  caSecretName: secretName().optional(),
  servername: hostName().optional(),
  verify: flag().default(true),
  insecure: flag().default(false),
}).check(insecureTls)

const mqtt = fields({
  url: text().check(checkMqttUrl),
  auth: exactlyOne({ password: reference.optional(), x509: reference.optional() }).optional(),
  tls: tls.optional(),
  keepAlive: duration({ atLeast: '1s', atMost: '18h', step: '1s' }).default(30_000),
}).check(tlsNeedsMqtts)

const sasl = fields({ mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512'), secretName: secretName() })

const kafka = fields({
  brokers: list(text().check(checkBroker)),
  tls: tls.optional(),
  auth: exactlyOne({ sasl: sasl.optional(), x509: reference.optional() }).optional(),
}).check(insecureAuth)

export const connectionSpec: z.ZodType<ConnectionSpec> = exactlyOne({ mqtt: mqtt.optional(), kafka: kafka.optional() })

/** Where an MQTT connection leads: its host and port, and its TLS, null where the URL says `mqtt:`. */
export function mqttEndpoint(connection: MqttConnection): { host: string; port: number; tls: Tls | null } {
  const url = new URL(connection.url)
  const secure = url.protocol === 'mqtts:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 8883 : 1883) : Number(url.port),
    tls: secure ? (connection.tls ?? { verify: true, insecure: false }) : null,
  }
}
