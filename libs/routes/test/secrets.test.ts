import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveCredentials, type Sasl, SecretError, secretSource } from '@millrace/routes'
import { afterAll, beforeAll, expect, test } from 'vitest'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-secrets-'))
  for (const [file, text] of Object.entries({
    'login/username': 'ann\n',
    'login/password': 'p w\r\n',
    'client/tls.crt': 'CERT',
    'client/tls.key': 'KEY',
    'roots/ca.crt': 'CA',
    'own-ca.pem': 'OWN',
  })) {
    await mkdir(join(folder, file, '..'), { recursive: true })
    await writeFile(join(folder, file), text)
  }
})
afterAll(() => rm(folder, { recursive: true }))

test('the folder comes before the environment, and one line end is cut off', async () => {
  const secrets = secretSource({
    folder,
    env: { MILLRACE_SECRET_LOGIN_PASSWORD: 'other', MILLRACE_SECRET_EVENT_HUB_1_PASSWORD: 'env' },
  })
  expect(await secrets('login', 'password')).toBe('p w')
  expect(await secrets('event-hub.1', 'password')).toBe('env')
})

test('a missing secret is named with the places, and no value', async () => {
  const secrets = secretSource({ folder, env: { MILLRACE_SECRET_LOGIN_TOKEN: '' } })
  const error: unknown = await secrets('login', 'token').catch((error: unknown) => error)
  expect(error).toBeInstanceOf(SecretError)
  expect(String(error)).toContain(`${join(folder, 'login', 'token')}, MILLRACE_SECRET_LOGIN_TOKEN`)
  await expect(secretSource({ env: {} })('login', 'password')).rejects.toThrow(
    'looked for in MILLRACE_SECRET_LOGIN_PASSWORD',
  )
})

test.each(['..', '../login', 'a/b', '', '/etc', '.hidden'])('the name %j leads nowhere', async name => {
  await expect(secretSource({ folder, env: {} })(name, 'password')).rejects.toThrow(SecretError)
})

test('a folder where a file should be is told, not thrown about', async () => {
  await expect(secretSource({ folder: join(folder, '..'), env: {} })('nowhere', 'x')).rejects.toThrow(SecretError)
  await mkdir(join(folder, 'odd', 'password'), { recursive: true })
  await expect(secretSource({ folder, env: {} })('odd', 'password')).rejects.toThrow(/can't be read: EISDIR/)
})

const tls = { verify: true, insecure: false }
const mqtt = { url: 'mqtts://h', version: 5 as const, keepAlive: 30_000 }

test('a connection gets what it refers to', async () => {
  const from = { secrets: secretSource({ folder, env: {} }), folder, conceal() {} }
  const login = { password: { secretName: 'login' } }
  expect(
    await resolveCredentials(
      { name: 'a', mqtt: { ...mqtt, auth: login, tls: { ...tls, caSecretName: 'roots' } } },
      from,
    ),
  ).toEqual({ ca: 'CA', username: 'ann', password: 'p w' })
  const x509 = { x509: { secretName: 'client' } }
  expect(
    await resolveCredentials({ name: 'a', mqtt: { ...mqtt, auth: x509, tls: { ...tls, caFile: 'own-ca.pem' } } }, from),
  ).toEqual({ ca: 'OWN', cert: 'CERT', key: 'KEY' })
  const sasl = { sasl: { mechanism: 'plain' as const, secretName: 'login' } }
  expect(await resolveCredentials({ name: 'b', kafka: { brokers: ['h:1'], auth: sasl } }, from)).toEqual({
    username: 'ann',
    password: 'p w',
  })
  expect(await resolveCredentials({ name: 'b', kafka: { brokers: ['h:1'] } }, from)).toEqual({})
  await expect(
    resolveCredentials({ name: 'a', mqtt: { ...mqtt, tls: { ...tls, caFile: 'none.pem' } } }, from),
  ).rejects.toThrow('tls.caFile: there is no file')
})

test('a token comes from its file or its secret, anew each time', async () => {
  const concealed: string[] = []
  const conceal = (secret: string) => void concealed.push(secret)
  const from = { secrets: secretSource({ folder, env: { MILLRACE_SECRET_SAT_TOKEN: 'of-secret' } }), folder, conceal }
  const read = (token: { file?: string; secretName?: string; username?: string }) =>
    resolveCredentials({ name: 'a', mqtt: { ...mqtt, auth: { token } } }, from)
  await writeFile(join(folder, 'sat'), 'first\n')
  expect(await read({ file: 'sat', username: '$sat' })).toEqual({ username: '$sat', password: 'first' })
  await writeFile(join(folder, 'sat'), 'second\n')
  expect(await read({ file: join(folder, 'sat') })).toEqual({ password: 'second' })
  expect(await read({ secretName: 'sat' })).toEqual({ password: 'of-secret' })
  await expect(read({ file: 'gone' })).rejects.toThrow('auth.token.file: there is no file')
  expect(concealed).toEqual(['first', 'second'])
})

test('OAUTHBEARER has a client of its own, or a token that something else renews', async () => {
  const env = { MILLRACE_SECRET_APP_CLIENT_ID: 'me', MILLRACE_SECRET_APP_CLIENT_SECRET: 'hush' }
  const concealed: string[] = []
  const from = { secrets: secretSource({ env }), folder, conceal: (secret: string) => void concealed.push(secret) }
  const read = (sasl: Sasl) => resolveCredentials({ name: 'b', kafka: { brokers: ['h:1'], tls, auth: { sasl } } }, from)
  const mechanism = 'oauthbearer'
  const client = { mechanism, tokenEndpoint: 'https://login/token', scope: 's', secretName: 'app' } as const
  expect(await read(client)).toEqual({ clientId: 'me', clientSecret: 'hush' })
  await writeFile(join(folder, 'kafka-token'), 'abc\r\n')
  expect(await read({ mechanism, tokenFile: 'kafka-token' })).toEqual({ token: 'abc' })
  expect(concealed).toEqual(['abc'])
})
