/** How a client's properties log in -> how a connection does, and the secrets that it then needs. */
import { from } from '../derived.ts'
import { isEventHubs } from '../event-hubs.ts'
import { expectedOneOf } from '../fields.ts'
import { errorAt, type Finding, warningAt } from '../finding.ts'
import { textFault } from '../text-rules.ts'
import { parseLogin } from './jaas.ts'
import type { ClientProperties } from './parse.ts'

/** A login. `auth` is written in a connection; `secrets` are the keys of the secret that it names, and stay out of it. */
export interface ClientLogin {
  auth?: object | undefined
  secrets: ReadonlyMap<string, string>
  findings: Finding[]
}

const none: ClientLogin = { secrets: new Map<string, string>(), findings: [] }

/** The login of these properties; secrets are named after the connection. */
export function loginOf(properties: ClientProperties): ClientLogin {
  const protocol = properties.get('security.protocol') ?? 'PLAINTEXT'
  const certificate = protocol.endsWith('SSL') ? certificateOf(properties) : none
  if (!protocol.startsWith('SASL_')) return certificate
  if (certificate.auth === undefined) return saslOf(properties)
  const message = 'a connection logs in by SASL or with a certificate, not with both'
  return failed('security.protocol', 'exactly_one', message)
}

const passwordModules = {
  PLAIN: 'PlainLoginModule',
  'SCRAM-SHA-256': 'ScramLoginModule',
  'SCRAM-SHA-512': 'ScramLoginModule',
}
const mechanisms = [...Object.keys(passwordModules), 'OAUTHBEARER']

function saslOf(properties: ClientProperties): ClientLogin {
  const mechanism = properties.get('sasl.mechanism')
  if (mechanism === 'OAUTHBEARER') return bearerOf(properties)
  if (mechanism === 'PLAIN' || mechanism === 'SCRAM-SHA-256' || mechanism === 'SCRAM-SHA-512') {
    return passwordOf(properties, mechanism)
  }
  return failed('sasl.mechanism', 'invalid_value', expectedOneOf(mechanisms, mechanism))
}

function passwordOf(properties: ClientProperties, mechanism: keyof typeof passwordModules): ClientLogin {
  const key = 'sasl.jaas.config'
  const login = parseLogin(properties.get(key) ?? '')
  const [username, password] = [login?.options.get('username'), login?.options.get('password')]
  const module = passwordModules[mechanism]
  if (login?.module !== module || !username || !password) {
    return failed(key, 'invalid_value', `expected ...${module} required username="..." password="...";`)
  }
  const secrets = new Map(Object.entries({ username, password }))
  const sasl = { mechanism: from(['sasl.mechanism'], mechanism.toLowerCase()), secretName: properties.name }
  return { auth: { sasl: from([key], sasl) }, secrets, findings: staying(key, properties.name, secrets) }
}

const tokenEndpoint = 'sasl.oauthbearer.token.endpoint.url'

/** A token comes from a file, from an endpoint by a client's credentials, or, at Event Hubs, as a managed identity. */
function bearerOf(properties: ClientProperties): ClientLogin {
  const endpoint = properties.get(tokenEndpoint)
  const file = endpoint !== undefined && /^file:/i.test(endpoint) ? URL.parse(endpoint)?.pathname : undefined
  const mechanism = from(['sasl.mechanism'], 'oauthbearer')
  if (file !== undefined) {
    return { ...none, auth: { sasl: from([tokenEndpoint], { mechanism, tokenFile: decodeURIComponent(file) }) } }
  }
  return endpoint === undefined ? identityOf(properties) : clientOf(properties, { mechanism, endpoint })
}

function clientOf(properties: ClientProperties, { mechanism, endpoint }: { mechanism: unknown; endpoint: string }) {
  const key = 'sasl.jaas.config'
  const options = parseLogin(properties.get(key) ?? '')?.options
  const credentials = 'sasl.oauthbearer.client.credentials.client'
  const id = properties.get(`${credentials}.id`) ?? options?.get('clientId')
  const secret = properties.get(`${credentials}.secret`) ?? options?.get('clientSecret')
  const scope = properties.get('sasl.oauthbearer.scope') ?? options?.get('scope')
  if (!id || !secret || !scope) {
    const message = 'expected ...OAuthBearerLoginModule required clientId="..." clientSecret="..." scope="...";'
    return failed(key, 'invalid_value', message)
  }
  const fault = textFault(scope)
  if (fault !== undefined) return failed(key, fault.code, fault.message)
  const secrets = new Map(Object.entries({ client_id: id, client_secret: secret }))
  const sasl = { mechanism, tokenEndpoint: from([tokenEndpoint], endpoint), scope, secretName: properties.name }
  return { auth: { sasl: from([key], sasl) }, secrets, findings: staying(key, properties.name, secrets) }
}

function identityOf(properties: ClientProperties): ClientLogin {
  const [broker = ''] = (properties.get('bootstrap.servers') ?? '').split(',')
  const key = 'sasl.login.callback.handler.class'
  if (!isEventHubs({ brokers: [broker.trim()] })) {
    return failed('sasl.mechanism', 'invalid_value', `OAUTHBEARER needs ${tokenEndpoint}: https://... or file:///...`)
  }
  const audience = `https://${broker.trim().replace(/:\d+$/, '')}`
  const message = "a Java class can't run here: the services log in as Azure's identity of their machine or pod"
  return { ...none, auth: { managedIdentity: { audience } }, findings: [warningAt([key], 'differs', message)] }
}

/** A certificate of one's own, from PEM alone. */
function certificateOf(properties: ClientProperties): ClientLogin {
  const [inlineKey, chainKey, fileKey] = ['ssl.keystore.key', 'ssl.keystore.certificate.chain', 'ssl.keystore.location']
  const [key, chain, file] = [inlineKey, chainKey, fileKey].map(one => properties.get(one))
  const { name } = properties
  if (key !== undefined && chain !== undefined) {
    const secrets = new Map(Object.entries({ 'tls.crt': chain, 'tls.key': key }))
    return { auth: x509(inlineKey, name), secrets, findings: staying(inlineKey, name, secrets) }
  }
  if (file === undefined) return none
  if (!isPem(file, properties.get('ssl.keystore.type'))) return failed(fileKey, 'bad_store', onlyPem)
  const message = `put the certificate and the key of this file into the keys tls.crt and tls.key of the secret ${name}`
  return { auth: x509(fileKey, name), secrets: none.secrets, findings: [warningAt([fileKey], 'secret', message)] }
}

const x509 = (key: string, secretName: string) => ({ x509: from([key], { secretName }) })

/** Why a store of Java's is refused. */
export const onlyPem =
  'only PEM is read, not a store of Java: keytool -importkeystore makes PKCS12 of it, and openssl pkcs12 makes PEM of that'

/** Whether a store is PEM: its type says so, or its name. */
export const isPem = (file: string, type: string | undefined): boolean =>
  type === undefined ? /\.(pem|crt|cer)$/i.test(file) : type.toUpperCase() === 'PEM'

/** Secrets in the file are not sent anywhere. */
function staying(key: string, secretName: string, secrets: ReadonlyMap<string, string>): Finding[] {
  const keys = [...secrets.keys()].join(' and ')
  const message = `this stays in the file: the services need it as the keys ${keys} of the secret ${secretName}`
  return [{ ...warningAt([key], 'secret', message), hint: 'millrace convert --secrets FOLDER writes them' }]
}

const failed = (key: string, code: string, message: string): ClientLogin => ({
  ...none,
  findings: [errorAt([key], code, message)],
})
