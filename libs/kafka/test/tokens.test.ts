import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, issuedFor, Issuer, type Kafka, noLeaks, type SecureKafka, startKafka } from '@millrace/testkit'
import type { Credentials, KafkaAuth } from '@millrace/routes'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createTopic } from '../src/create-topic.ts'
import { Cluster } from '../src/index.ts'
import { openWith, refusalOf, settingsOf, wordsOf } from './secure.ts'

noLeaks()

const clientSecret = 'correct:horse%'
let kafka: Kafka
let secure: SecureKafka
let ca: string
let folder: string
beforeAll(async () => {
  kafka = await startKafka({
    secure: { users: {} },
    properties: { 'listener.name.sasl.sasl.enabled.mechanisms': 'OAUTHBEARER' },
  })
  secure = kafka.secure!
  ca = await readFile(secure.certificates.ca, 'utf8')
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-tokens-'))
})
afterAll(async () => {
  await kafka[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const login = (auth: KafkaAuth, credentials: Credentials | (() => Credentials) = {}) => ({
  brokers: secure.sasl,
  tls: {},
  auth,
  credentials: () => ({ ca, ...(typeof credentials === 'function' ? credentials() : credentials) }),
})

/** By client credentials at that issuer. */
const byClient = (url: string, credentials: Credentials = { clientId: 'me', clientSecret }) =>
  login(
    {
      sasl: {
        mechanism: 'oauthbearer',
        tokenEndpoint: `${url}/token`,
        scope: 'kafka',
        audience: 'lake',
        secretName: 'app',
      },
    },
    credentials,
  )

const byFile = (token: () => string) =>
  login({ sasl: { mechanism: 'oauthbearer', tokenFile: 'token' } }, () => ({ token: token() }))

const tokenFor = (seconds: number) =>
  JSON.stringify({ access_token: issuedFor('client', seconds), expires_in: seconds })

test('client credentials: asked for once, as RFC 6749 has it, and used for every connection', async () => {
  await using issuer = await Issuer.start()
  using cluster = await openWith(byClient(issuer.url))
  const first = await cluster.broker(1)
  first.close()
  expect((await cluster.broker(1)).open).toBe(true)
  expect(issuer.calls).toMatchObject([
    { method: 'POST', form: { grant_type: 'client_credentials', scope: 'kafka', audience: 'lake' } },
  ])
  const [kind, encoded] = issuer.calls[0]?.headers.authorization?.split(' ') ?? []
  expect([kind, atob(encoded ?? '')]).toEqual(['Basic', 'me:correct%3Ahorse%25'])
})

test('a token that the broker refuses is not used again, however long it says it lasts', async () => {
  await using issuer = await Issuer.start()
  issuer.answer = () => ({ body: JSON.stringify({ access_token: issuedFor('client', -60), expires_in: 3_600 }) })
  const concealed: string[] = []
  const settings = settingsOf({ ...byClient(issuer.url), concealed })
  await expect(Cluster.open(settings)).rejects.toMatchObject({ code: 'authentication' })
  const good = tokenFor(300)
  issuer.answer = () => ({ body: good })
  using cluster = await Cluster.open(settings)
  expect((await cluster.broker(1)).open).toBe(true)
  expect(issuer.calls).toHaveLength(2)
  expect(concealed).toEqual([expect.any(String), JSON.parse(good).access_token])
})

test('topics are made by a token as well', async () => {
  await using issuer = await Issuer.start()
  using cluster = await openWith(byClient(issuer.url))
  await createTopic(cluster.settings, 'made', { partitions: 2, replicas: 1, config: {} })
  const partitions = async () => (await cluster.metadata(['made'])).topics[0]?.leaders.length
  expect(await eventually(partitions, { what: 'the topic', timeout: 30_000 })).toBe(2)
})

test('a token near its end is not used again: a new one is asked for, before the old one expires', async () => {
  await using issuer = await Issuer.start()
  issuer.answer = () => ({ body: tokenFor(20) })
  using cluster = await openWith(byClient(issuer.url))
  const before = issuer.calls.length
  const connection = await cluster.broker(1)
  connection.close()
  await cluster.broker(1)
  expect(issuer.calls.length).toBeGreaterThan(before)
})

test('a session ends with its token: it is renewed on the same connection before', async () => {
  await using issuer = await Issuer.start()
  issuer.answer = () => ({ body: tokenFor(12) })
  using cluster = await openWith(byClient(issuer.url))
  const connection = await cluster.broker(1)
  const [before, end] = [issuer.calls.length, performance.now() + 13_500]
  while (performance.now() < end) {
    await cluster.metadata([])
    await sleep(250)
  }
  expect(issuer.calls.length).toBeGreaterThan(before)
  expect(await cluster.broker(1)).toBe(connection)
})

test.each([
  [{ status: 401, body: '{"error":"invalid_client","error_description":"correct:horse%"}' }, 'invalid_client'],
  [{ status: 500, body: 'correct:horse%' }, 'HTTP 500'],
  [{ status: 400, body: '{"error":"correct:horse%"}' }, 'HTTP 400'],
  [{ body: '{"access_token":"two words"}' }, 'no token'],
  [{ body: '[]' }, 'no token'],
])('an issuer that answers %j is told, with what to look at, and no secret', async (answer, reason) => {
  await using issuer = await Issuer.start()
  issuer.answer = () => answer
  const error = await refusalOf(byClient(issuer.url))
  expect(error).toMatchObject({ code: 'no_token' })
  expect(error.message).toContain(`${issuer.url}/token (`)
  expect(error.message).toContain(reason)
  expect(error.message).toContain('secret app')
  expect(wordsOf(error)).not.toMatch(/correct:horse%|correct%3Ahorse%25/)
})

test('an issuer that is down is told; once it is up, the next login passes', async () => {
  const gone = await Issuer.start()
  const { url } = gone
  await gone[Symbol.asyncDispose]()
  const error = await refusalOf(byClient(url))
  expect(error).toMatchObject({ code: 'no_token' })
  expect(error.message).toContain('ECONNREFUSED')
})

test('an issuer that never answers is told apart from a broker that does not', async () => {
  const silent = createServer(socket => socket.resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const settings = settingsOf(byClient(`http://127.0.0.1:${port}`))
  await expect(Cluster.open({ ...settings, connectTimeout: 10_000 })).rejects.toMatchObject({
    code: 'no_token',
    message: expect.stringContaining('no answer in 5 s'),
  })
  silent.close()
})

test('an issuer that sends us elsewhere is not followed: what we send is for nobody else', async () => {
  await using elsewhere = await Issuer.start()
  await using issuer = await Issuer.start()
  issuer.answer = () => ({ status: 307, body: '', location: elsewhere.url })
  expect(await refusalOf(byClient(issuer.url))).toMatchObject({ code: 'no_token' })
  expect(elsewhere.calls).toEqual([])
})

test('kafkajs 2.2.4 takes a refused token for an accepted one; a token file is read anew for every login', async () => {
  let token = issuedFor('pod', -60)
  const ofFile = byFile(() => token)
  const expired = await refusalOf(ofFile)
  expect(expired).toMatchObject({ code: 'authentication' })
  expect(expired.message).toContain('refuses the token')
  expect(wordsOf(expired)).not.toContain(token)
  token = issuedFor('pod')
  using cluster = await openWith(ofFile)
  expect((await cluster.metadata([])).brokers.size).toBe(1)
  token = 'two lines\nof something'
  const garbage = await refusalOf(ofFile)
  expect(garbage).toMatchObject({ code: 'no_token' })
  expect(wordsOf(garbage)).not.toContain('of something')
})

test('a mechanism that the broker does not offer is told as such', async () => {
  const auth = { sasl: { mechanism: 'scram-sha-256', secretName: 'lake' } } as const
  const error = await refusalOf(login(auth, { username: 'egress', password: 'x' }))
  expect(error).toMatchObject({ code: 'authentication' })
  expect(error.message).toContain('does not offer SASL SCRAM-SHA-256')
})

const audience = 'https://ns.servicebus.windows.net'
const managed: KafkaAuth = { managedIdentity: { audience } }

test("a managed identity of a machine: Azure's metadata service is asked", async () => {
  await using issuer = await Issuer.start()
  vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', issuer.url)
  vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', undefined)
  // It writes numbers as text.
  issuer.answer = () => ({ body: JSON.stringify({ access_token: issuedFor('vm'), expires_in: '300' }) })
  using cluster = await openWith(login(managed))
  expect((await cluster.metadata([])).brokers.size).toBe(1)
  const [call] = issuer.calls
  expect(issuer.calls).toHaveLength(1)
  expect(call).toMatchObject({ method: 'GET', headers: { metadata: 'true' } })
  const url = new URL(call?.url ?? '', issuer.url)
  expect(url.pathname).toBe('/metadata/identity/oauth2/token')
  expect(Object.fromEntries(url.searchParams)).toEqual({ 'api-version': '2018-02-01', resource: audience })
})

test('a managed identity of a pod: its token file is exchanged, as it is then', async () => {
  await using issuer = await Issuer.start()
  const file = path.join(folder, 'federated')
  await writeFile(file, 'of-the-pod\n')
  vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', file)
  vi.stubEnv('AZURE_AUTHORITY_HOST', `${issuer.url}/`)
  vi.stubEnv('AZURE_CLIENT_ID', 'identity')
  vi.stubEnv('AZURE_TENANT_ID', 'tenant')
  const concealed: string[] = []
  using cluster = await openWith({ ...login(managed), concealed })
  expect((await cluster.metadata([])).brokers.size).toBe(1)
  expect(concealed).toEqual(['of-the-pod', expect.stringContaining('.')])
  expect(issuer.calls).toMatchObject([
    {
      method: 'POST',
      url: '/tenant/oauth2/v2.0/token',
      form: { scope: `${audience}/.default`, client_id: 'identity', client_assertion: 'of-the-pod' },
    },
  ])
})

test.each([
  [{ AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token', AZURE_CLIENT_ID: 'c', AZURE_TENANT_ID: 't' }, '/nowhere/token'],
  [{ AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token' }, 'needs AZURE_CLIENT_ID'],
])('a managed identity that is half set up (%j) is told', async (env, message) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const error = await refusalOf(login(managed))
  expect(error).toMatchObject({ code: 'no_token' })
  expect(error.message).toContain(message)
})
