/** Secrets are references in documents; here they are read, where they are needed. No message ever has a value in it. */
import { readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Connection } from './connection.ts'
import type { Sasl } from './kafka-connection.ts'
import type { MqttToken } from './mqtt-connection.ts'
import type { SecretReference, Tls } from './tls.ts'

/** A secret could not be had. The message names the reference and where it was looked for, never a value. */
export class SecretError extends Error {
  override readonly name = 'SecretError'
}

/** Reads one key of one secret, anew each time: secrets rotate. Rejects with `SecretError`. */
export type SecretSource = (secretName: string, key: string) => Promise<string>

/** Where secrets are looked for. */
export interface SecretPlaces {
  /** A mounted folder with a file `<secretName>/<key>` for each; absent: only the environment. */
  folder?: string | undefined
  env: { readonly [name: string]: string | undefined }
}

/**
 * Secrets from a mounted folder (`<folder>/<secretName>/<key>`), else from the environment
 * (`MILLRACE_SECRET_<NAME>_<KEY>`, upper case, with `_` for every other character). One line end at the end is cut off.
 */
export function secretSource({ folder, env }: SecretPlaces): SecretSource {
  return async (secretName, key) => {
    const variable = `MILLRACE_SECRET_${shout(secretName)}_${shout(key)}`
    const file = folder === undefined ? undefined : join(folder, segment(secretName), segment(key))
    const value = (file === undefined ? undefined : await readIfThere(file)) ?? env[variable]
    if (value !== undefined && value !== '') return withoutLineEnd(value)
    const places = file === undefined ? variable : `${file}, ${variable}`
    throw new SecretError(`secret ${secretName}: its key ${key} is missing; looked for in ${places}`)
  }
}

/** What a connection logs in with, and whom it trusts. All text; certificates and keys are PEM. */
export interface Credentials {
  ca?: string | undefined
  cert?: string | undefined
  key?: string | undefined
  username?: string | undefined
  /** Of an MQTT connection with a token: that token. */
  password?: string | undefined
  /** Of OAUTHBEARER by client credentials. */
  clientId?: string | undefined
  clientSecret?: string | undefined
  /** Of OAUTHBEARER with a token file. */
  token?: string | undefined
}

/** From where credentials are read. Relative paths of files are looked for in the folder. */
interface CredentialPlaces {
  secrets: SecretSource
  folder?: string | undefined
  /** Told of each token that is read from a file: it must never be shown. What `secrets` reads is its own to tell. */
  conceal: (secret: string) => void
}

/**
 * Reads all secrets of a connection, anew: `username` and `password` of a password or SASL secret, `tls.crt` and
 * `tls.key` of an x509 one, `token` of a token, `client_id` and `client_secret` of OAUTHBEARER, `ca.crt` of
 * `caSecretName`, and the files of `caFile`, `tokenFile` and a token's `file`. Rejects with `SecretError`.
 */
export async function resolveCredentials(connection: Connection, places: CredentialPlaces): Promise<Credentials> {
  const { tls, auth } = connection.mqtt ?? connection.kafka ?? {}
  const { password, token } = connection.mqtt?.auth ?? {}
  const sasl = connection.kafka?.auth?.sasl
  return {
    ca: await authorities(tls, places),
    ...(auth?.x509 && (await certificate(auth.x509, places))),
    ...(password && (await login(password, places))),
    ...(token && (await tokenLogin(token, places))),
    ...(sasl && (await saslCredentials(sasl, places))),
  }
}

async function authorities(tls: Tls | undefined, places: CredentialPlaces): Promise<string | undefined> {
  if (tls?.caSecretName !== undefined) return places.secrets(tls.caSecretName, 'ca.crt')
  return tls?.caFile === undefined ? undefined : await readNamed('tls.caFile', tls.caFile, places)
}

async function certificate({ secretName }: SecretReference, { secrets }: CredentialPlaces): Promise<Credentials> {
  return { cert: await secrets(secretName, 'tls.crt'), key: await secrets(secretName, 'tls.key') }
}

async function login({ secretName }: SecretReference, { secrets }: CredentialPlaces): Promise<Credentials> {
  return { username: await secrets(secretName, 'username'), password: await secrets(secretName, 'password') }
}

async function tokenLogin({ secretName, file, username }: MqttToken, places: CredentialPlaces): Promise<Credentials> {
  if (file === undefined) return { username, password: await places.secrets(secretName ?? '', 'token') }
  return { username, password: await readToken('auth.token.file', file, places) }
}

async function saslCredentials(sasl: Sasl, places: CredentialPlaces): Promise<Credentials> {
  if (sasl.mechanism !== 'oauthbearer') return await login(sasl, places)
  if ('tokenFile' in sasl) return { token: await readToken('tokenFile', sasl.tokenFile, places) }
  const { secrets } = places
  return {
    clientId: await secrets(sasl.secretName, 'client_id'),
    clientSecret: await secrets(sasl.secretName, 'client_secret'),
  }
}

/** The token in the file that a field names. */
async function readToken(field: string, name: string, places: CredentialPlaces): Promise<string> {
  const token = withoutLineEnd(await readNamed(field, name, places))
  places.conceal(token)
  return token
}

/** The file that a field names. */
async function readNamed(field: string, name: string, { folder = '.' }: CredentialPlaces): Promise<string> {
  const file = isAbsolute(name) ? name : join(folder, name)
  const content = await readIfThere(file)
  if (content === undefined) throw new SecretError(`${field}: there is no file ${file}`)
  return content
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new SecretError(`${file} can't be read: ${code}`, { cause })
  }
}

function segment(name: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) return name
  throw new SecretError('the name or key of a secret has letters, digits, - _ and . only')
}

const withoutLineEnd = (text: string): string => text.replace(/\r?\n$/, '')

const shout = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
