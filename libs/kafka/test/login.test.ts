import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { type Kafka, noLeaks, type SecureKafka, startKafka } from '@millrace/testkit'
import { SecretError } from '@millrace/routes'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clusterSettings } from '../src/index.ts'
import { type Login, openWith, refusalOf, settingsOf, wordsOf } from './secure.ts'

noLeaks()

const password = 'correct-horse'
let kafka: Kafka
let secure: SecureKafka
let ca: string
beforeAll(async () => {
  kafka = await startKafka({
    secure: { users: { egress: password } },
    // Kafka's clients, and this one, log in again 10 s before the end of a session.
    properties: { 'listener.name.sasl.plain.connections.max.reauth.ms': '11500' },
  })
  secure = kafka.secure!
  ca = await readFile(secure.certificates.ca, 'utf8')
})
afterAll(async () => {
  await kafka[Symbol.asyncDispose]()
})

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

function login(mechanism: (typeof mechanisms)[number] = 'plain', more: Partial<Login> = {}): Login {
  const auth = { sasl: { mechanism, secretName: 'lake' } }
  return { brokers: secure.sasl, tls: {}, auth, credentials: { ca, username: 'egress', password }, ...more }
}

const file = (name: string) => readFile(name, 'utf8')

test.each(mechanisms)('TLS and SASL %s let the right password in', async mechanism => {
  await kafka.createTopic(`for-${mechanism}`)
  using cluster = await openWith(login(mechanism))
  const { topics } = await cluster.metadata([`for-${mechanism}`])
  expect(topics).toMatchObject([{ name: `for-${mechanism}`, error: 0, leaders: [{ node: 1 }] }])
})

test.each(mechanisms)('SASL %s: a wrong password is told as such, and not shown', async mechanism => {
  const credentials = { ca, username: 'egress', password: 'battery-staple' }
  const error = await refusalOf(login(mechanism, { credentials }))
  expect(error).toMatchObject({ code: 'authentication' })
  expect(error.message).toContain(`${secure.sasl[0]} refuses the credentials (SASL ${mechanism.toUpperCase()})`)
  expect(wordsOf(error)).not.toContain('battery-staple')
})

test('a password that was wrong and is put right lets the next connection in', async () => {
  let written = 'battery-staple'
  const wrong = login('scram-sha-512', { credentials: () => ({ ca, username: 'egress', password: written }) })
  await refusalOf(wrong)
  written = password
  using cluster = await openWith(wrong)
  expect((await cluster.metadata([])).brokers.size).toBe(1)
})

test('a cluster makes its connections anew with what the secrets hold then', async () => {
  let held = password
  using cluster = await openWith(login('plain', { credentials: () => ({ ca, username: 'egress', password: held }) }))
  held = 'battery-staple'
  const connection = await cluster.broker(1)
  expect(await cluster.broker(1), 'a connection that is open stays').toBe(connection)
  connection.close()
  await expect(cluster.broker(1)).rejects.toMatchObject({ code: 'authentication' })
  held = password
  expect((await cluster.broker(1)).open).toBe(true)
})

test('a session that ends is renewed before: the connection lives on', async () => {
  using cluster = await openWith(login('plain'))
  const connection = await cluster.broker(1)
  // Kafka closes a connection that is used after the end of its session, 11.5 s after the login.
  const end = performance.now() + 13_000
  while (performance.now() < end) {
    await cluster.metadata([])
    await sleep(250)
  }
  expect(connection.open).toBe(true)
  expect(await cluster.broker(1)).toBe(connection)
})

test('mutual TLS: a certificate lets us in, and without one we are told so', async () => {
  const { client } = secure.certificates
  const x509: Login = { brokers: secure.certified, tls: {}, auth: { x509: { secretName: 'c' } }, credentials: { ca } }
  const [cert, key] = [await file(client.cert), await file(client.key)]
  using cluster = await openWith({ ...x509, credentials: { ca, cert, key } })
  expect((await cluster.metadata([])).brokers.size).toBe(1)
  const error = await refusalOf(x509)
  expect(error).toMatchObject({ code: 'tls' })
  expect(error.message).toMatch(/auth\.x509/)
})

test('a client certificate that has expired is told as such', async () => {
  const { expired } = secure.certificates
  const credentials = { ca, cert: await file(expired.cert), key: await file(expired.key) }
  const auth = { x509: { secretName: 'c' } }
  const error = await refusalOf({ brokers: secure.certified, tls: {}, auth, credentials })
  expect(error).toMatchObject({ code: 'tls' })
  expect(error.message).toMatch(/our certificate/)
})

test('an authority that we do not trust is a TLS error', async () => {
  const error = await refusalOf(login('plain', { credentials: { username: 'egress', password } }))
  expect(error).toMatchObject({ code: 'tls' })
  expect(error.message).toContain('tls.caFile')
})

test('a certificate of another name is a TLS error', async () => {
  const error = await refusalOf(login('plain', { tls: { servername: 'elsewhere.example' } }))
  expect(error).toMatchObject({ code: 'tls' })
  expect(error.message).toContain('tls.servername')
})

test("a broker's certificate that has expired is a TLS error", async () => {
  const { expired } = secure.certificates
  const server = createServer({ cert: await file(expired.cert), key: await file(expired.key) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const error = await refusalOf(login('plain', { brokers: [`127.0.0.1:${port}`], tls: { servername: 'localhost' } }))
  server.close()
  expect(error).toMatchObject({ code: 'tls' })
  expect(error.message).toContain('expired')
})

test('plain TCP to a TLS port: unreachable, with the hint that it may expect TLS', async () => {
  const { tls: _, ...inClear } = login()
  const error = await refusalOf(inClear)
  expect(error).toMatchObject({ code: 'broker_unreachable' })
  expect(error.message).toContain('TLS')
})

test('TLS to a port without it is told as such', async () => {
  const error = await refusalOf(login('plain', { brokers: kafka.brokers }))
  expect(error.message).toMatch(/does not speak TLS|expects .*login/)
})

test('a certificate that is none is refused before anything is connected', async () => {
  const credentials = { cert: 'nonsense', key: 'secret nonsense' }
  const error = await refusalOf({ brokers: ['127.0.0.1:1'], tls: {}, credentials })
  expect(error).toMatchObject({ code: 'configuration' })
  expect(wordsOf(error)).not.toContain('secret nonsense')
})

test('a secret that is missing is told, and looked for again', async () => {
  const missing = () => {
    throw new SecretError('secret lake: its key password is missing')
  }
  expect(await refusalOf(login('plain', { credentials: missing }))).toMatchObject({ code: 'secret_missing' })
})

test('brokers may have IPv6 addresses', () => {
  const { brokers } = settingsOf({ brokers: ['[::1]:9092', 'kafka.example:9093'], credentials: {} })
  expect(brokers).toEqual([
    { host: '::1', port: 9092 },
    { host: 'kafka.example', port: 9093 },
  ])
})

test('Event Hubs is known by its host, and gets smaller requests, more time and no old connections', () => {
  const user = { credentials: async () => ({}), clientId: 'test', conceal() {} }
  const hub = clusterSettings({ brokers: ['ns.servicebus.windows.net:9093'] }, user)
  expect(hub).toMatchObject({ requestTimeout: 60_000, longestIdle: 180_000, largestRequest: 1_046_528 })
  expect(clusterSettings({ brokers: ['127.0.0.1:9092'], profile: 'eventHubs' }, user)).toMatchObject({
    largestRequest: 1_046_528,
  })
  expect(clusterSettings({ brokers: ['kafka.example:9093'] }, user).longestIdle).toBe(540_000)
})

test('a prefix stands in front of the client id', () => {
  const user = { credentials: async () => ({}), clientId: 'test', conceal() {} }
  expect(clusterSettings({ brokers: ['h:1'], clientIdPrefix: 'p' }, user).clientId).toBe('p:test')
  expect(clusterSettings({ brokers: ['h:1'] }, user).clientId).toBe('test')
})
