/**
 * A Kafka client's `.properties` file, as it stands -> a connection of the file's name. What it says of secrets stays where
 * it is: the connection names a secret of its own name, and `secretsOf` tells what belongs into it.
 */
import { derive, from, type Translation } from '../derived.ts'
import { expectedOneOf, meant } from '../fields.ts'
import type { SourceFile } from '../document.ts'
import { errorAt, type Finding, noteAt, warningAt } from '../finding.ts'
import { textFault } from '../text-rules.ts'
import { isPem, loginOf, onlyPem } from './login.ts'
import { ClientProperties, isProperties, parseProperties } from './parse.ts'

const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']
const plain = ['bootstrap.servers', 'security.protocol', 'sasl.mechanism', 'sasl.oauthbearer.token.endpoint.url']
const stores = ['ssl.truststore.location', 'ssl.truststore.type', 'ssl.keystore.location', 'ssl.keystore.type']
const hidden = [
  'sasl.jaas.config',
  'sasl.oauthbearer.client.credentials.client.id',
  'sasl.oauthbearer.client.credentials.client.secret',
  'sasl.oauthbearer.scope',
  'ssl.truststore.certificates',
  'ssl.keystore.key',
  'ssl.keystore.certificate.chain',
]
const passwords = ['ssl.key.password', 'ssl.keystore.password', 'ssl.truststore.password']
const told = ['sasl.login.callback.handler.class', 'ssl.endpoint.identification.algorithm', ...passwords]
const known = [...plain, ...stores, ...hidden, ...told]

/** What a client's properties mean here. */
export function connectionOf(properties: ClientProperties): Translation {
  const servers = properties.get('bootstrap.servers')
  const trust = trustOf(properties)
  const login = loginOf(properties)
  const kafka = {
    brokers: from(
      ['bootstrap.servers'],
      servers?.split(',').map(one => one.trim()),
    ),
    tls: properties.get('security.protocol')?.endsWith('SSL') === true ? trust.tls : undefined,
    auth: login.auth,
  }
  const connection = derive({
    kind: 'Connection',
    name: properties.name,
    spec: { kafka },
    whole: ['bootstrap.servers'],
  })
  const findings = [...checkPlain(properties), ...trust.findings, ...login.findings, ...others(properties)]
  const isWhole = findings.every(({ severity }) => severity !== 'error')
  return { findings, documents: isWhole ? [connection] : [] }
}

/** What belongs into the secret of a `.properties` file's connection, by its keys; undefined where nothing does. */
export function secretsOf(source: SourceFile): { secretName: string; values: ReadonlyMap<string, string> } | undefined {
  if (!isProperties(source)) return undefined
  const [properties] = parseProperties(source).documents.map(({ value }) => value)
  if (!(properties instanceof ClientProperties)) return undefined
  const authorities = properties.get('ssl.truststore.certificates')
  const values = new Map([...loginOf(properties).secrets, ...(authorities ? [['ca.crt', authorities] as const] : [])])
  return values.size === 0 ? undefined : { secretName: properties.name, values }
}

/** What is written into the connection has no character that can't be seen, and no secret. */
function checkPlain(properties: ClientProperties): Finding[] {
  const findings = [...plain, ...stores, 'sasl.oauthbearer.scope'].flatMap(key => {
    const fault = textFault(properties.get(key) ?? '')
    return fault === undefined ? [] : [errorAt([key], fault.code, fault.message)]
  })
  const protocol = properties.get('security.protocol')
  if (properties.get('bootstrap.servers') === undefined) {
    const near = meant('bootstrap.servers', [...properties.entries.keys()])
    findings.push(errorAt(['bootstrap.servers'], 'missing', `missing; expected host:port${near}`))
  }
  if (protocol !== undefined && !protocols.includes(protocol)) {
    findings.push(errorAt(['security.protocol'], 'invalid_value', expectedOneOf(protocols, protocol)))
  }
  return findings
}

/** Whom the client trusts, from PEM alone. */
function trustOf(properties: ClientProperties): { tls: unknown; findings: Finding[] } {
  const key = 'ssl.truststore.location'
  const file = properties.get(key)
  const inline = 'ssl.truststore.certificates'
  if (properties.get(inline) !== undefined) {
    const message = `this is read from the secret ${properties.name}, its key ca.crt`
    const hint = 'millrace convert --secrets FOLDER writes it'
    return {
      tls: from([inline], { caSecretName: properties.name }),
      findings: [{ ...warningAt([inline], 'secret', message), hint }],
    }
  }
  if (file === undefined) return { tls: {}, findings: [] }
  if (!isPem(file, properties.get('ssl.truststore.type'))) {
    return { tls: {}, findings: [errorAt([key], 'bad_store', onlyPem)] }
  }
  const message =
    'the services read this file: there it must be; a relative path is looked for in the folder of secrets'
  return { tls: from([key], { caFile: file }), findings: [noteAt([key], 'differs', message)] }
}

/** What is not about the connection, or not done here. */
function others({ entries }: ClientProperties): Finding[] {
  const findings: Finding[] = []
  if (entries.get('ssl.endpoint.identification.algorithm')?.trim() === '') {
    const message = 'the name in the certificate is compared all the same; tls.servername says which it must be'
    findings.push(warningAt(['ssl.endpoint.identification.algorithm'], 'differs', message))
  }
  for (const key of passwords.filter(one => entries.has(one))) {
    findings.push(warningAt([key], 'no_effect', 'has no effect: PEM is read that has no password'))
  }
  return [...findings, ...unknown([...entries.keys()].filter(key => !known.includes(key)))]
}

/** Only what is nearly the name of a property is told by its name: any other may be a part of a secret. */
function unknown(keys: string[]): Finding[] {
  const misspelt = keys.filter(key => meant(key, known) !== '')
  const strange = keys.length - misspelt.length
  const message = `${strange} of its properties say nothing here: they are not about how to connect`
  return [
    ...misspelt.map(key => warningAt([key], 'no_effect', `says nothing here${meant(key, known)}`)),
    ...(strange > 0 ? [noteAt([], 'no_effect', message)] : []),
  ]
}
