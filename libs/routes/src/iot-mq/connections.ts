/** A `KafkaConnector` -> the connection of its Kafka end, and that of the broker beside it. */
import { type Derived, derive, from, type Translation } from '../derived.ts'
import { type Finding, noteAt, warningAt } from '../finding.ts'
import {
  type AuthType,
  authorityOf,
  type BrokerSide,
  type Connector,
  type ConnectorTls,
  type KafkaSide,
} from './connector.ts'
import { legalName } from '../legal-name.ts'
import { localName } from './local-name.ts'

const kafka = ['spec', 'kafkaConnection']
const broker = ['spec', 'localBrokerConnection']

const hints = new Map([
  ['add tls: {}', 'set tls.tlsEnabled: true'],
  ['use mqtts://', 'set localBrokerConnection.tls.tlsEnabled: true'],
])

/** `<connector>` speaks Kafka, `<connector>-local` MQTT. */
export function connectionsOf({ metadata: { name }, spec }: Connector): Translation {
  const clientIdPrefix = from(['spec', 'clientIdPrefix'], spec.clientIdPrefix)
  const kafkaSpec = { brokers: brokersOf(spec.kafkaConnection), ...securityOf(spec.kafkaConnection), clientIdPrefix }
  const mqttSpec = { ...mqttOf(spec.localBrokerConnection), clientIdPrefix }
  return {
    findings: [...notesOf(spec), ...namesTold(name), ...sidesTold(spec)],
    documents: [
      connection({ name: legalName(name), spec: { kafka: kafkaSpec }, whole: kafka }),
      connection({ name: localName(name), spec: { mqtt: mqttSpec }, whole: broker }),
    ],
  }
}

const connection = ({ name, spec, whole }: { name: string; spec: object; whole: string[] }): Derived =>
  derive({ kind: 'Connection', name: from(['metadata', 'name'], name), spec, whole, hints })

const brokersOf = ({ endpoint }: KafkaSide) =>
  from(
    [...kafka, 'endpoint'],
    endpoint.split(',').map(one => one.trim()),
  )

function securityOf({ tls, authentication }: KafkaSide) {
  const authType = authentication?.enabled === true ? authentication.authType : undefined
  return {
    tls: tls.tlsEnabled ? from([...kafka, 'tls'], tlsOf(tls)) : undefined,
    auth: from([...kafka, 'authentication', 'authType'], authType && authOf(authType)),
  }
}

const tlsOf = (tls: ConnectorTls) => ({ caSecretName: authorityOf(tls).name })

const mechanisms = {
  plain: 'plain',
  'scram-sha-256': 'scram-sha-256',
  'scram-sha-512': 'scram-sha-512',
  scramSha256: 'scram-sha-256',
  scramSha512: 'scram-sha-512',
} as const

function authOf({ sasl, x509, systemAssignedManagedIdentity }: AuthType): object {
  return {
    sasl: sasl && { mechanism: mechanisms[sasl.saslType], secretName: sasl.secretName ?? sasl.token?.secretName },
    x509,
    managedIdentity: systemAssignedManagedIdentity,
  }
}

/** How the vendor's brokers take a service account's token; of a client that has no such method, as this user's password. */
const serviceAccount = { authenticationMethod: 'K8S-SAT', username: '$sat' }

function mqttOf({ endpoint, tls, authentication: { kubernetes } }: BrokerSide) {
  const { secretPath, serviceAccountTokenName } = kubernetes
  const file = `${secretPath.replace(/\/$/, '')}/${serviceAccountTokenName}`
  return {
    url: from([...broker, 'endpoint'], `${tls.tlsEnabled ? 'mqtts' : 'mqtt'}://${endpoint}`),
    auth: from([...broker, 'authentication', 'kubernetes'], { token: { file, ...serviceAccount } }),
    tls: tls.tlsEnabled ? from([...broker, 'tls'], tlsOf(tls)) : undefined,
  }
}

/** What the connector says of its own containers. */
function notesOf(spec: Connector['spec']): Finding[] {
  const findings: Finding[] = []
  const note = (field: string, message: string, code = 'no_effect') =>
    findings.push(noteAt(['spec', field], code, message))
  if (spec.image !== undefined) note('image', 'says nothing here: the services that you run are used')
  if (spec.nodeTolerations !== undefined)
    note('nodeTolerations', 'says nothing here: it is for who starts the services')
  if (spec.logLevel === 'fatal') note('logLevel', 'its routes log errors', 'differs')
  if (spec.clientIdPrefix !== undefined) {
    note(
      'clientIdPrefix',
      'clients are called <prefix>:<installation>-<route>-<subscriber>, and to Kafka <prefix>:millrace',
      'differs',
    )
  }
  if (spec.instances > 0) {
    const { instances } = spec
    const message = `start each service that its routes use so often (Kubernetes: replicas: ${instances}; Compose: --scale <service>=${instances}): no document says how many run`
    note('instances', message, 'differs')
  } else {
    const message = 'its routes run all the same; delete them to stop them'
    findings.push(warningAt(['spec', 'instances'], 'no_effect', message))
  }
  return findings
}

function namesTold(name: string): Finding[] {
  const legal = legalName(name)
  return legal === name ? [] : [noteAt(['metadata', 'name'], 'renamed', `its connection is called ${legal} here`)]
}

function sidesTold({ kafkaConnection, localBrokerConnection }: Connector['spec']): Finding[] {
  const { authentication } = kafkaConnection
  const findings = [
    ...authorityTold(kafkaConnection.tls, [...kafka, 'tls']),
    ...authorityTold(localBrokerConnection.tls, [...broker, 'tls']),
  ]
  if (authentication?.enabled !== false || authentication.authType === undefined) return findings
  const message = 'has no effect with enabled: false: there is no login'
  return [...findings, warningAt([...kafka, 'authentication', 'authType'], 'no_effect', message)]
}

function authorityTold(tls: ConnectorTls, path: string[]): Finding[] {
  const { field, name } = authorityOf(tls)
  if (name === undefined) return []
  if (!tls.tlsEnabled) return [warningAt([...path, field], 'no_effect', 'has no effect with tlsEnabled: false')]
  const message = `is read as the secret ${name}: put the authorities (PEM) into its key ca.crt`
  return [noteAt([...path, field], 'differs', message)]
}
