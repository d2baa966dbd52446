import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { run } from '@millrace/local'

/** A certificate and its key: the names of two PEM files. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** An authority of a test's own, and what it signed. All are names of PEM files. */
export interface Certificates {
  /** The authority's certificate: whom to trust. */
  readonly ca: string
  /** For a server on `127.0.0.1` or `localhost`. */
  readonly server: KeyPair
  /** For a client whose common name is `client`. */
  readonly client: KeyPair
  /** For the same server, valid until yesterday. */
  readonly expired: KeyPair
}

/** Makes an authority, a server's and a client's certificate in a folder, valid for one day, and one that is not. */
export async function certificates(folder: string): Promise<Certificates> {
  await mkdir(folder, { recursive: true })
  const pair = (name: string): KeyPair => ({
    cert: path.join(folder, `${name}.pem`),
    key: path.join(folder, `${name}.key`),
  })
  const [ca, server, client, expired] = [pair('ca'), pair('server'), pair('client'), pair('expired')]
  const signed = ['-CA', ca.cert, '-CAkey', ca.key]
  await make(ca, 'a test authority', [])
  await make(server, 'localhost', [...signed, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'])
  await make(client, 'client', signed)
  await makeExpired(expired, path.join(folder, 'expired.csr'), signed)
  return { ca: ca.cert, server, client, expired }
}

const subject = (commonName: string) => ['-subj', `/CN=${commonName}`]
const newKey = (key: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]

async function make({ cert, key }: KeyPair, commonName: string, options: string[]): Promise<void> {
  await run('openssl', ['req', '-x509', ...newKey(key), '-out', cert, '-days', '1', ...subject(commonName), ...options])
}

/** `openssl req` signs nothing that is over already; `openssl x509` does. */
async function makeExpired({ cert, key }: KeyPair, request: string, signed: string[]): Promise<void> {
  await run('openssl', ['req', ...newKey(key), '-out', request, ...subject('localhost')])
  await run('openssl', ['x509', '-req', '-in', request, '-out', cert, '-days', '-1', ...signed])
}
