/** Secrets are references in documents; here they are read, where they are needed. No message ever has a value in it. */
import { readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Connection, Tls } from './connection.ts'

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
    if (value !== undefined && value !== '') return value.replace(/\r?\n$/, '')
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
  password?: string | undefined
}

/**
 * Reads all secrets of a connection: `username` and `password` of a password or SASL secret, `tls.crt` and `tls.key` of
 * an x509 one, `ca.crt` of `caSecretName`, and the file of `caFile` (a relative path is looked for in `folder`).
 */
export async function resolveCredentials(
  connection: Connection,
  { secrets, folder }: { secrets: SecretSource; folder?: string | undefined },
): Promise<Credentials> {
  const { tls, auth } = connection.mqtt ?? connection.kafka ?? {}
  const login = connection.mqtt?.auth?.password ?? connection.kafka?.auth?.sasl
  const credentials: Credentials = { ca: await authorities(tls, secrets, folder) }
  if (login !== undefined) {
    credentials.username = await secrets(login.secretName, 'username')
    credentials.password = await secrets(login.secretName, 'password')
  }
  if (auth?.x509 !== undefined) {
    credentials.cert = await secrets(auth.x509.secretName, 'tls.crt')
    credentials.key = await secrets(auth.x509.secretName, 'tls.key')
  }
  return credentials
}

async function authorities(tls: Tls | undefined, secrets: SecretSource, folder = '.'): Promise<string | undefined> {
  if (tls?.caSecretName !== undefined) return secrets(tls.caSecretName, 'ca.crt')
  if (tls?.caFile === undefined) return undefined
  const file = isAbsolute(tls.caFile) ? tls.caFile : join(folder, tls.caFile)
  const pem = await readIfThere(file)
  if (pem === undefined) throw new SecretError(`tls.caFile: there is no file ${file}`)
  return pem
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

const shout = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
