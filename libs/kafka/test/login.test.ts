import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { certificates, freePort, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import type { KafkaConnection } from '@millrace/routes'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureTools, javaArguments } from '@millrace/local'
import { Cluster, clusterSettings, type KafkaError } from '../src/index.ts'

noLeaks()

const password = 'correct-horse'
let folder: string
let ca: string
let kafka: Kafka
let securePort: number
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-login-'))
  const files = await certificates(folder)
  ca = await readFile(files.ca, 'utf8')
  const keystore = path.join(folder, 'keystore.pem')
  await writeFile(keystore, (await readFile(files.server.key, 'utf8')) + (await readFile(files.server.cert, 'utf8')))
  const [port, controller] = [await freePort(), await freePort()]
  securePort = await freePort()
  kafka = await startKafka({ port, properties: withSecureListener({ port, controller, secure: securePort }, keystore) })
  const { kafka: tool } = await ensureTools(['kafka'])
  const user = ['--entity-type', 'users', '--entity-name', 'egress']
  await promisify(execFile)('java', [
    ...javaArguments(tool.path, [], ['kafka.admin.ConfigCommand', '--bootstrap-server', kafka.brokers.join()]),
    '--alter',
    '--add-config',
    `SCRAM-SHA-512=[password=${password}]`,
    ...user,
  ])
})
afterAll(async () => {
  await kafka[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** Broker settings for one more listener, with TLS and a login. */
function withSecureListener(
  { port, controller, secure }: { port: number; controller: number; secure: number },
  keystore: string,
): Record<string, string> {
  const [clients, secured] = [`CLIENT://127.0.0.1:${port}`, `SECURE://127.0.0.1:${secure}`]
  const [plain, scram] = ['plain.PlainLoginModule', 'scram.ScramLoginModule']
  const login = (module: string) => `org.apache.kafka.common.security.${module} required`
  return {
    listeners: `${clients},CONTROLLER://127.0.0.1:${controller},${secured}`,
    'advertised.listeners': `${clients},${secured}`,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
    'listener.name.secure.ssl.keystore.type': 'PEM',
    'listener.name.secure.ssl.keystore.location': keystore,
    'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.secure.plain.sasl.jaas.config': `${login(plain)} user_egress="${password}";`,
    'listener.name.secure.scram-sha-512.sasl.jaas.config': `${login(scram)};`,
  }
}

interface Wanted {
  mechanism?: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  password?: string
  ca?: string | undefined
  servername?: string
  tls?: boolean
}

function open(wanted: Wanted = {}): Promise<Cluster> {
  const { tls = true, mechanism = 'plain', servername } = wanted
  const connection: KafkaConnection = {
    brokers: [`127.0.0.1:${securePort}`],
    ...(tls && { tls: { verify: true, insecure: false, servername } }),
    auth: { sasl: { mechanism, secretName: 'lake' } },
  }
  const credentials = { ca: 'ca' in wanted ? wanted.ca : ca, username: 'egress', password: wanted.password ?? password }
  const settings = clusterSettings(connection, { credentials, clientId: 'test' })
  return Cluster.open({ ...settings, connectTimeout: 3_000 })
}

async function refusal(wanted: Wanted): Promise<KafkaError> {
  return await open(wanted).then(
    () => expect.unreachable('it opened'),
    (error: KafkaError) => error,
  )
}

test.each(['plain', 'scram-sha-512'] as const)('TLS and SASL %s let the right password in', async mechanism => {
  await kafka.createTopic(`for-${mechanism}`)
  using cluster = await open({ mechanism })
  const { topics } = await cluster.metadata([`for-${mechanism}`])
  expect(topics).toMatchObject([{ name: `for-${mechanism}`, error: 0, leaders: [{ node: 1 }] }])
})

test.each(['plain', 'scram-sha-512'] as const)(
  'SASL %s: a wrong password is told as such, and not shown',
  async mechanism => {
    const error = await refusal({ mechanism, password: 'battery-staple' })
    expect(error).toMatchObject({ code: 'authentication', mayPass: false })
    expect(error.message).toContain('refuses the credentials')
    expect(`${error.message}${error.stack}${JSON.stringify(error.cause)}`).not.toContain('battery-staple')
  },
)

test('a mechanism that the broker does not offer is a refused login', async () => {
  expect(await refusal({ mechanism: 'scram-sha-256' })).toMatchObject({ code: 'authentication' })
})

test('an authority that we do not trust is a TLS error', async () => {
  const error = await refusal({ ca: undefined })
  expect(error).toMatchObject({ code: 'tls', mayPass: false })
  expect(error.message).toMatch(/CERT|SELF_SIGNED|VERIFY/)
})

test('a certificate of another name is a TLS error', async () => {
  expect(await refusal({ servername: 'elsewhere.example' })).toMatchObject({ code: 'tls' })
})

test('plain TCP to a TLS port: unreachable, with the hint that it may expect TLS', async () => {
  const error = await refusal({ tls: false })
  expect(error).toMatchObject({ code: 'broker_unreachable' })
  expect(error.message).toContain('TLS')
})

test('a certificate that is none is refused before anything is connected', () => {
  const tls = { verify: true, insecure: false }
  const credentials = { cert: 'nonsense', key: 'secret nonsense' }
  const settings = () => clusterSettings({ brokers: ['a:1'], tls }, { credentials, clientId: 'x' })
  expect(settings).toThrow(expect.objectContaining({ code: 'configuration' }))
  expect(settings).not.toThrow(/secret nonsense/)
})

test('brokers may have IPv6 addresses', () => {
  const { brokers } = clusterSettings(
    { brokers: ['[::1]:9092', 'kafka.example:9093'] },
    { credentials: {}, clientId: 'x' },
  )
  expect(brokers).toEqual([
    { host: '::1', port: 9092 },
    { host: 'kafka.example', port: 9093 },
  ])
})
