/** `KafkaConnector` of Azure IoT MQ: how to reach a Kafka cluster or a hub, and the broker beside it. */
import { z } from 'zod'
import { clientIdPrefix } from '../client-id.ts'
import { exactlyOne, fields, flag, integer, oneOf, secretName, text, tell, type Checked } from '../fields.ts'
import { checkAddress } from '../kafka-connection-rules.ts'
import { resource } from './resource.ts'

/** A connector, with its defaults filled in. */
export interface Connector {
  metadata: { name: string }
  spec: {
    /** Where its container comes from. */
    image?: unknown
    nodeTolerations?: unknown
    instances: number
    clientIdPrefix?: string | undefined
    logLevel?: string | undefined
    kafkaConnection: KafkaSide
    localBrokerConnection: BrokerSide
  }
}

/** The far end. */
export interface KafkaSide {
  /** `host:port`, or several with commas between. */
  endpoint: string
  tls: ConnectorTls
  authentication?: { enabled: boolean; authType?: AuthType | undefined } | undefined
}

/** Exactly one of them. */
export interface AuthType {
  sasl?: Sasl | undefined
  x509?: { secretName: string } | undefined
  systemAssignedManagedIdentity?: { audience: string } | undefined
}

/** The secret is named in one of two places; Azure's resource manager writes the second. */
interface Sasl {
  saslType: SaslType
  secretName?: string | undefined
  token?: { secretName: string } | undefined
}

/** As the resource writes it, and as Azure's resource manager does. */
type SaslType = 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'scramSha256' | 'scramSha512'

/** The MQTT broker that the connector runs beside. */
export interface BrokerSide {
  endpoint: string
  tls: ConnectorTls
  authentication: { kubernetes: { secretPath: string; serviceAccountTokenName: string } }
}

/** At most one of the two spellings; see `authorityOf`. */
export interface ConnectorTls {
  tlsEnabled: boolean
  caConfigMap?: string | undefined
  trustedCaCertificateConfigMap?: string | undefined
}

/** The config map of trusted authorities, and the name of the field that names it. */
export function authorityOf(tls: ConnectorTls): {
  field: 'caConfigMap' | 'trustedCaCertificateConfigMap'
  name?: string
} {
  const { caConfigMap, trustedCaCertificateConfigMap } = tls
  if (trustedCaCertificateConfigMap === undefined)
    return { field: 'caConfigMap', ...(caConfigMap && { name: caConfigMap }) }
  return { field: 'trustedCaCertificateConfigMap', name: trustedCaCertificateConfigMap }
}

const authorities = { caConfigMap: secretName().optional(), trustedCaCertificateConfigMap: secretName().optional() }

const secret = fields({ secretName: secretName() })

const authType = exactlyOne({
  sasl: fields({
    saslType: oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'scramSha256', 'scramSha512'),
    secretName: secretName().optional(),
    token: secret.optional(),
  })
    .check(checkSasl)
    .optional(),
  x509: secret.optional(),
  systemAssignedManagedIdentity: fields({ audience: text() }).optional(),
})

const kafkaConnection = fields({
  endpoint: text(),
  tls: fields({ tlsEnabled: flag(), ...authorities }).check(checkAuthorities),
  authentication: fields({ enabled: flag(), authType: authType.optional() }).check(checkAuthentication).optional(),
})

const kubernetes = fields({
  secretPath: text().default('/var/run/serviceaccount/localbroker'),
  serviceAccountTokenName: text().default('sat'),
})

const localEndpoint = 'aio-mq-dmqtt-frontend:1883'

const localBrokerConnection = fields({
  endpoint: text()
    .check(checked => checkAddress(checked, localEndpoint))
    .default(localEndpoint),
  tls: fields({ tlsEnabled: flag().default(false), ...authorities })
    .check(checkAuthorities)
    .prefault({}),
  authentication: fields({ kubernetes: kubernetes.prefault({}) }).prefault({}),
})

/** A connector as it is written. */
export const connector: z.ZodType<Connector> = resource({
  kind: oneOf('KafkaConnector'),
  spec: fields({
    image: z.unknown().optional(),
    nodeTolerations: z.unknown().optional(),
    instances: integer(0, 65_535),
    clientIdPrefix: clientIdPrefix().optional(),
    logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal').optional(),
    kafkaConnection,
    localBrokerConnection: localBrokerConnection.prefault({}),
  }),
})

function checkAuthorities(checked: Checked<ConnectorTls>): void {
  const { caConfigMap, trustedCaCertificateConfigMap } = checked.value
  if (caConfigMap === undefined || trustedCaCertificateConfigMap === undefined) return
  const message = 'this is caConfigMap once more: write one of them'
  tell(checked, message, { code: 'exactly_one', path: ['trustedCaCertificateConfigMap'] })
}

function checkSasl(checked: Checked<Pick<Sasl, 'secretName' | 'token'>>): void {
  const { secretName, token } = checked.value
  if ((secretName === undefined) !== (token === undefined)) return
  const what = token === undefined ? "missing; expected a secret's name" : 'it is named in token as well: write one'
  tell(checked, what, { code: 'exactly_one', path: ['secretName'] })
}

function checkAuthentication(checked: Checked<{ enabled: boolean; authType?: unknown }>): void {
  const { enabled, authType } = checked.value
  if (!enabled || authType !== undefined) return
  tell(checked, 'missing; expected sasl, x509 or systemAssignedManagedIdentity in it', {
    code: 'invalid_value',
    path: ['authType'],
  })
}
