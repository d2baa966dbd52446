/** How to reach a Kafka cluster, or a hub that speaks Kafka's protocol. */
import { z } from 'zod'
import { clientIdPrefix } from './client-id.ts'
import { exactlyOne, expectedOneOf, fields, list, oneOf, secretName, text } from './fields.ts'
import { checkBroker, checkKafkaAuth, checkTokenEndpoint } from './kafka-connection-rules.ts'
import { checkEventHubs } from './event-hubs.ts'
import { secretReference, type SecretReference, tls, type Tls } from './tls.ts'

/** A Kafka cluster. */
export interface KafkaConnection {
  /** The bootstrap servers, each `host:port`. */
  brokers: string[]
  /** What the cluster really is, where its host does not say it: see `isEventHubs`. */
  profile?: 'eventHubs' | undefined
  /** Absent: in clear. */
  tls?: Tls | undefined
  auth?: KafkaAuth | undefined
  /** Of the client id, which stands in the brokers' logs, metrics and quotas; see `prefixedId`. */
  clientIdPrefix?: string | undefined
}

/** Exactly one of them. */
export interface KafkaAuth {
  sasl?: Sasl | undefined
  x509?: SecretReference | undefined
  managedIdentity?: ManagedIdentity | undefined
}

/** OAUTHBEARER as the identity that Azure gave the machine or the pod that a service runs on: there is no secret. */
export interface ManagedIdentity {
  /** For whom the token is, e.g. `https://<namespace>.servicebus.windows.net`. */
  audience: string
}

export type Sasl = PasswordSasl | ClientSasl | TokenFileSasl

/** A secret with the keys `username` and `password`. */
export interface PasswordSasl {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  secretName: string
}

/** OAUTHBEARER by OAuth's client credentials: the secret's keys `client_id` and `client_secret` get a token. */
export interface ClientSasl {
  mechanism: 'oauthbearer'
  /** `https://...`; in clear only on this machine. */
  tokenEndpoint: string
  scope: string
  audience?: string | undefined
  secretName: string
}

/** OAUTHBEARER with a token that something else renews in a file; a relative path is looked for in the folder of secrets. */
export interface TokenFileSasl {
  mechanism: 'oauthbearer'
  tokenFile: string
}

const passwordSasl = fields({ mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512'), secretName: secretName() })

const bearerSasl = z.codec(
  fields({
    mechanism: oneOf('oauthbearer'),
    tokenEndpoint: text().check(checkTokenEndpoint).optional(),
    scope: text().optional(),
    audience: text().optional(),
    secretName: secretName().optional(),
    tokenFile: text().optional(),
  }),
  z.custom<ClientSasl | TokenFileSasl>(),
  {
    decode(written, context) {
      const { mechanism, tokenFile, tokenEndpoint, scope, audience, secretName } = written
      const byClient = tokenEndpoint !== undefined && scope !== undefined && secretName !== undefined
      const some = [tokenEndpoint, scope, audience, secretName].some(value => value !== undefined)
      if (tokenFile !== undefined && !some) return { mechanism, tokenFile }
      if (tokenFile === undefined && byClient) return { mechanism, tokenEndpoint, scope, audience, secretName }
      const message =
        'oauthbearer needs tokenFile, or tokenEndpoint, scope and secretName (and audience where asked for)'
      context.issues.push({ code: 'custom', input: written, message, params: { code: 'exactly_one' } })
      return z.NEVER
    },
    encode: sasl => sasl,
  },
)

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer']

/** The error of one that fits no mechanism is of the field `mechanism`; its input is the whole. */
const sasl = z.discriminatedUnion('mechanism', [passwordSasl, bearerSasl], {
  error({ input, code }) {
    if (code !== 'invalid_union') return 'expected a map of fields'
    return expectedOneOf(mechanisms, typeof input === 'object' && input !== null && Reflect.get(input, 'mechanism'))
  },
})

export const kafkaConnection: z.ZodType<KafkaConnection> = fields({
  brokers: list(text().check(checkBroker)),
  profile: oneOf('eventHubs').optional(),
  tls: tls.optional(),
  auth: exactlyOne({
    sasl: sasl.optional(),
    x509: secretReference.optional(),
    managedIdentity: fields({ audience: text() }).optional(),
  }).optional(),
  clientIdPrefix: clientIdPrefix().optional(),
}).check(checkKafkaAuth, checkEventHubs)
