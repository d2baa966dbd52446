/** The settings of a Kafka that lets clients in over TLS only, by any login that it knows. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Certificates, KeyPair } from './certificates.ts'

/** Where it listens. */
export interface SecurePorts {
  /** In clear, for whoever administers it. */
  readonly port: number
  readonly controllerPort: number
  /** TLS and SASL. */
  readonly sasl: number
  /** TLS with a client's certificate. */
  readonly certified: number
}

/** Whom it lets in. */
export interface SecureUsers {
  /** User names and their passwords. */
  readonly users: Readonly<Record<string, string>>
  readonly certificates: Certificates
}

const modules = 'org.apache.kafka.common.security'

/** What its launcher is told: broker settings, and the users that SCRAM begins with. */
export async function secureListeners(
  { port, controllerPort, sasl, certified }: SecurePorts,
  { users, certificates: { ca, server } }: SecureUsers,
): Promise<{ properties: Record<string, string>; scram: string[] }> {
  const clients = [`CLIENT://127.0.0.1:${port}`, `SASL://127.0.0.1:${sasl}`, `CERTIFIED://127.0.0.1:${certified}`]
  const passwords = Object.entries(users).map(([user, password]) => `user_${user}="${password}"`)
  const properties = {
    listeners: [...clients, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    'advertised.listeners': clients.join(','),
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,CERTIFIED:SSL',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': await keystore(server),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': ca,
    'listener.name.certified.ssl.client.auth': 'required',
    'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    ...login('plain', `${modules}.plain.PlainLoginModule required ${passwords.join(' ')}`),
    ...login('scram-sha-256', `${modules}.scram.ScramLoginModule required`),
    ...login('scram-sha-512', `${modules}.scram.ScramLoginModule required`),
    ...login('oauthbearer', `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="b"`),
  }
  const scram = Object.entries(users).flatMap(([user, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(mechanism => `${mechanism}=[name=${user},password=${password}]`),
  )
  return { properties, scram }
}

const login = (mechanism: string, module: string) => ({
  [`listener.name.sasl.${mechanism}.sasl.jaas.config`]: `${module};`,
})

/** Kafka wants both in one file. */
async function keystore({ cert, key }: KeyPair): Promise<string> {
  const file = path.join(path.dirname(cert), 'keystore.pem')
  await writeFile(file, (await readFile(key, 'utf8')) + (await readFile(cert, 'utf8')))
  return file
}
