import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { PeerCertificate } from 'node:tls'
import {
  type Certificates,
  certificates,
  eventually,
  type KeyPair,
  noLeaks,
  passwords,
  startNats,
} from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tlsOptions } from '../src/authority.ts'
import { authorityProblem, connectBus, natsUsers, type Problem, StoppedError } from '../src/index.ts'

noLeaks()

let folder: string
let pem: Certificates

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-nats-tls-'))
  pem = await certificates(folder)
})
afterAll(() => rm(folder, { recursive: true }))

const startTls = ({ cert, key }: KeyPair = pem.server) =>
  startNats({ users: natsUsers(passwords), extra: `tls { cert_file: "${cert}", key_file: "${key}" }` })

const access = { user: 'cli', password: passwords.cli, name: 'test' } as const

/** What is told of attempts to connect that must not succeed. */
async function refusal(url: string, caFile?: string): Promise<string> {
  const stop = new AbortController()
  const told: (Problem | undefined)[] = []
  const tell = (problem: Problem | undefined) => void told.push(problem)
  const options = { ...access, url, signal: stop.signal, tell }
  const connecting = connectBus(caFile === undefined ? options : { ...options, caFile })
  await Promise.race([connecting, eventually(() => told.length > 0, { what: 'the first attempt' })])
  stop.abort()
  await expect(connecting).rejects.toThrow(StoppedError)
  expect(JSON.stringify(told)).not.toContain(passwords.cli)
  return told[0]?.message ?? ''
}

test('NATS over TLS: who is given the CA reaches it, who is not does not', async () => {
  await using nats = await startTls()
  const url = `tls://127.0.0.1:${nats.port}`
  await using bus = await connectBus({ ...access, url, caFile: pem.ca, signal: AbortSignal.timeout(10_000) })
  expect(bus.nc.info?.tls_required).toBe(true)
  expect(await refusal(url)).toMatch(/certificate/)
})

test("a certificate of the CA's for somebody else is refused", async () => {
  await using nats = await startTls(pem.client)
  expect(await refusal(`tls://127.0.0.1:${nats.port}`, pem.ca)).toMatch(/127\.0\.0\.1/)
})

test('whom TLS was asked for never gets a password in the clear', async () => {
  await using nats = await startNats({ users: natsUsers(passwords) })
  expect(await refusal(`tls://127.0.0.1:${nats.port}`)).toMatch(/does not support 'tls'/)
  expect(await refusal(nats.url, pem.ca)).toMatch(/does not support 'tls'/)
})

test('an IP address is compared with the certificate itself, and not taken for localhost', () => {
  const check = (url: string, subjectaltname: string) =>
    tlsOptions([url], undefined)?.checkServerIdentity('localhost', { subjectaltname } as PeerCertificate)
  expect(check('tls://10.0.0.5:4222', 'DNS:localhost')).toBeInstanceOf(Error)
  expect(check('tls://10.0.0.5:4222', 'IP Address:10.0.0.5')).toBeUndefined()
  expect(check('tls://[::1]:4222', 'IP Address:0:0:0:0:0:0:0:1')).toBeUndefined()
  expect(check('tls://nats.mill.example', 'DNS:*.mill.example')).toBeUndefined()
  expect(check('tls://nats.example', 'DNS:nats.other')).toBeInstanceOf(Error)
})

test('a CA file that is missing, or is none, is told', async () => {
  expect(authorityProblem(pem.ca)).toBeUndefined()
  expect(authorityProblem(path.join(folder, 'none.pem'))).toMatch(/^can't be read: ENOENT/)
  const other = path.join(folder, 'other.txt')
  await writeFile(other, 'hello')
  expect(authorityProblem(other)).toBe(`${other} holds no certificate in PEM`)
})
