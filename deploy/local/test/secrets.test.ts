/**
 * Secrets come and go while everything runs: a wrong one is told and heals by itself once it is put right, a new one is
 * used from the next connection on, and none is ever seen anywhere. Over TLS on both sides.
 */
import { copyFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, type Kafka, type Mosquitto, noLeaks, startKafka, startMosquitto } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesWith, metricsOf, untilProblem, untilWell } from './observe.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

const users = { first: 'kafka-canary-1', second: 'kafka-canary-2' }
const devices = { first: 'mqtt-canary-1', second: 'mqtt-canary-2' }
const wrong = 'wrong-canary'

let folder: string
let kafka: Kafka
let mosquitto: Mosquitto
let whole: Whole
let version = 0
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-secrets-'))
  kafka = await startKafka({ secure: { users } })
  mosquitto = await startMosquitto({ passwords: { ...devices, tester: 'tester' }, tls: {} })
  const services = { 'mqtt-ingress': 1, 'kafka-ingress': 1, 'mqtt-egress': 1, 'kafka-egress': 1 }
  await mount('works', { username: 'first', password: wrong })
  await mount('store', { username: 'first', password: wrong })
  await copyFile(mosquitto.tls!.certificates.ca, path.join(folder, 'works.pem'))
  await copyFile(kafka.secure!.certificates.ca, path.join(folder, 'store.pem'))
  whole = await startWhole({ instances: services, beside: { mosquitto, kafka }, secretsFolder: folder })
})
afterAll(async () => {
  await whole[Symbol.asyncDispose]()
  await mosquitto[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** Gives a secret these keys, all at once, as Kubernetes does: by another link. */
async function mount(secret: string, keys: { [key: string]: string }): Promise<void> {
  const data = path.join(folder, `..${++version}`)
  await mkdir(data)
  for (const [key, value] of Object.entries(keys)) await writeFile(path.join(data, key), value)
  await symlink(data, `${data}-link`)
  await rename(`${data}-link`, path.join(folder, secret))
}

const documents = () => `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: works }
spec: { mqtt: { url: '${mosquitto.tls!.url}', tls: { caFile: works.pem }, auth: { password: { secretName: works } } } }
---
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: store }
spec:
  kafka:
    brokers: ['${kafka.secure!.sasl[0]}']
    tls: { caFile: store.pem }
    auth: { sasl: { mechanism: scram-sha-512, secretName: store } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: up }
spec: { source: { connection: works, topics: [up/+] }, sink: { connection: store, topic: up } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: down }
spec: { source: { connection: store, topics: [up] }, sink: { connection: works, topic: down/all } }
`

const actors = {
  in: 'source.up.0',
  out: 'sink.up.0',
  lister: 'lister.down.lister',
  reader: 'source.down.up/0',
  back: 'sink.down.up/0',
}

/** Publishes, and waits for it to come back through both routes. */
async function roundTrip(client: MqttClient, text: string): Promise<void> {
  const came: string[] = []
  client.on('message', (_, payload) => void came.push(payload.toString()))
  await client.publishAsync('up/a', text, { qos: 1 })
  await eventually(() => came.includes(text), { what: text, timeout: 60_000 })
}

test('a wrong secret is told, heals when it is put right, rotates, and is seen nowhere', {
  timeout: 240_000,
}, async () => {
  await kafka.createTopic('up')
  await whole.apply(documents())
  expect(await untilProblem(whole, actors.in, 'broker_refused')).toContain('refused the connection')
  expect(await untilProblem(whole, actors.out, 'authentication')).toContain('SASL SCRAM-SHA-512')
  expect(await untilProblem(whole, actors.lister, 'authentication')).toContain('user name and password')
  await mount('works', { username: 'first', password: devices.first })
  await mount('store', { username: 'first', password: users.first })
  for (const id of Object.values(actors)) await untilWell(whole, id)
  const login = { username: 'tester', password: 'tester', reconnectPeriod: 200 }
  await using stack = new AsyncDisposableStack()
  const client = await connectAsync(mosquitto.url, login)
  stack.defer(() => client.endAsync(true))
  // A broker that is away is part of the test: MQTT.js tries again by itself.
  client.on('error', () => undefined)
  await client.subscribeAsync('down/all', { qos: 1 })
  await roundTrip(client, 'with the first secrets')

  await mount('works', { username: 'second', password: devices.second })
  await mount('store', { username: 'second', password: users.second })
  await roundTrip(client, 'over the connections that are there')
  await mosquitto.restart()
  await kafka.restart()
  await roundTrip(client, 'with the second secrets')
  const log = path.basename((await filesWith(mosquitto.folder, "u'second'"))[0] ?? 'nowhere')
  expect(log).toBe('mosquitto.log')

  await mount('store', { username: 'second' })
  await kafka.restart()
  expect(await untilProblem(whole, actors.reader, 'secret_missing')).toContain('its key password is missing')
  const metrics = await Promise.all(whole.services.map(({ name }) => metricsOf(whole, name)))
  const told = metrics.join('') + JSON.stringify([...(await whole.instances()).values()])
  for (const canary of [...Object.values(users), ...Object.values(devices), wrong]) {
    expect(await filesWith(whole.fleet.folder, canary)).toEqual([])
    expect(await filesWith(whole.nats.folder, canary)).toEqual([])
    expect(told).not.toContain(canary)
  }
})
