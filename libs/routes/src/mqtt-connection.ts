/** How to reach an MQTT broker. */
import type { z } from 'zod'
import { clientIdPrefix } from './client-id.ts'
import { duration, exactlyOne, fields, oneOf, secretName, text } from './fields.ts'
import { checkMqttToken, checkMqttUrl, checkMqtt } from './mqtt-connection-rules.ts'
import { secretReference, type SecretReference, tls, type Tls } from './tls.ts'

/** A broker of MQTT v5, or of 3.1.1. */
export interface MqttConnection {
  /** `mqtt://host[:1883]`, `mqtts://host[:8883]`, `ws://host[:80][/path]`, `wss://host[:443][/path]`; see `mqttEndpoint`. */
  url: string
  /** 3.1.1 has no properties, no reason codes and no expiry. */
  version: 5 | '3.1.1'
  /** Absent: no user name, no certificate. */
  auth?: MqttAuth | undefined
  /** Only with `mqtts:` and `wss:`. */
  tls?: Tls | undefined
  /** Milliseconds, whole seconds: MQTT's Keep Alive. */
  keepAlive: number
  /** Of every client id on this connection; see `prefixedId`. A session is known by its client id. */
  clientIdPrefix?: string | undefined
}

/** Exactly one of them. */
export interface MqttAuth {
  password?: SecretReference | undefined
  x509?: SecretReference | undefined
  token?: MqttToken | undefined
}

/** A token, read anew for each connect from exactly one of the two places. It is sent as the password. */
export interface MqttToken {
  /** A secret: its key `token`. */
  secretName?: string | undefined
  /** A file, such as a mounted service account's. A relative path is looked for in the folder of secrets. */
  file?: string | undefined
  /** The user name that the broker wants beside it, which is no secret. */
  username?: string | undefined
  /**
   * MQTT v5's Authentication Method (4.12): the token is sent as its data. A broker that does not know the method is asked
   * again with user name and password, where there is a user name.
   */
  authenticationMethod?: string | undefined
}

const token = fields({
  secretName: secretName().optional(),
  file: text().optional(),
  username: text().optional(),
  authenticationMethod: text().optional(),
}).check(checkMqttToken)

export const mqttConnection: z.ZodType<MqttConnection> = fields({
  url: text().check(checkMqttUrl),
  version: oneOf<5 | '3.1.1'>(5, '3.1.1').default(5),
  auth: exactlyOne({
    password: secretReference.optional(),
    x509: secretReference.optional(),
    token: token.optional(),
  }).optional(),
  tls: tls.optional(),
  keepAlive: duration({ atLeast: '1s', atMost: '18h', step: '1s' }).default(30_000),
  clientIdPrefix: clientIdPrefix().optional(),
}).check(checkMqtt)

/** Where an MQTT connection leads. */
export interface MqttEndpoint {
  host: string
  port: number
  /** Null where the URL says `mqtt:` or `ws:`. */
  tls: Tls | null
  /** The path of a WebSocket; null: plain TCP. */
  webSocket: string | null
}

const ports: { readonly [scheme: string]: number } = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 }

/** Takes the URL of a connection apart, and tells its TLS. */
export function mqttEndpoint(connection: MqttConnection): MqttEndpoint {
  const url = new URL(connection.url)
  const isSecure = /^(mqtts|wss):$/.test(url.protocol)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (ports[url.protocol] ?? 0) : Number(url.port),
    tls: isSecure ? (connection.tls ?? { verify: true, insecure: false }) : null,
    webSocket: url.protocol.startsWith('ws') ? url.pathname : null,
  }
}
