/**
 * Brokers that are away, refuse the password, are none, or fall silent: the lane holds and says where and what to do,
 * tries again with growing waits, and goes on when it is mended. Nothing acknowledged is lost, and no other route
 * notices. No password is to be seen anywhere.
 */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, type Mosquitto, noLeaks, type Proxy, startMosquitto, startProxy } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Calm, startCalm } from './calm.ts'
import { type Answers, type CrookedBroker, good, kind, startCrooked } from './crooked-broker.ts'
import { kafka as kafkaConnection, mqtt, route, together } from './documents.ts'
import { type GuardedKafka, startGuardedKafka } from './guarded.ts'
import { arrivedAt, balances, filesWith, metricsOf, millrace, untilProblem, untilWell } from './observe.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

const small = { buffer: '16MiB', deadLetters: '4MiB' }
/** Words that are looked for at the end: what the services read as passwords. */
const canaries = { wrong: 'canary-wrong-5d1f7e', right: 'canary-right-83ab20' }

const stack = new AsyncDisposableStack()
let whole: Whole
let calm: Calm
let guarded: GuardedKafka
let door: Mosquitto
let away: Proxy
let publisher: MqttClient
let secrets: string
beforeAll(async () => {
  secrets = await mkdtemp(path.join(tmpdir(), 'millrace-secrets-'))
  stack.defer(() => rm(secrets, { recursive: true }))
  vi.stubEnv('MILLRACE_SECRETS_DIR', secrets)
  stack.defer(() => void vi.unstubAllEnvs())
  ;[whole, guarded, door] = await Promise.all([
    startWhole(),
    startGuardedKafka('egress', canaries.right),
    startMosquitto({ passwords: { ingress: canaries.right } }),
  ])
  for (const server of [whole, guarded, door]) stack.use(server)
  away = stack.use(await startProxy(whole.mosquitto.port))
  calm = await startCalm(whole)
  publisher = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
  stack.defer(() => publisher.endAsync(true))
})
afterAll(() => stack.disposeAsync())

const publish = (topic: string, payload: string) => publisher.publishAsync(topic, payload, { qos: 1 })
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => String(from + at))
const valuesIn = async (topic: string, count: number, kafka = whole.kafka) =>
  (await arrivedAt({ kafka }, { topic, count })).map(({ value }) => String(value))

async function writeSecret(name: string, username: string, password: string): Promise<void> {
  await mkdir(path.join(secrets, name), { recursive: true })
  await writeFile(path.join(secrets, name, 'username'), username)
  await writeFile(path.join(secrets, name, 'password'), password)
}

/** A broker that answers everybody with a page of HTTP. */
async function startWeb(): Promise<AsyncDisposable & { address: string }> {
  const server = createServer((_, response) => response.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe.concurrent('a broker that', () => {
  test('is down at the start, and later half open: Kafka', { timeout: 90_000 }, async () => {
    const { kafka, proxy } = guarded
    proxy.refuse()
    await kafka.createTopic('downstream')
    const broker = `127.0.0.1:${proxy.port}`
    const sink = 'behind, topic: downstream'
    await whole.apply(together(kafkaConnection('behind', broker), route('downstream', { ...small, sink })))
    const message = await untilProblem(whole, 'sink.downstream.0', 'broker_unreachable')
    expect(message).toContain(`${broker} can't be reached (ECONNREFUSED): check its address`)
    await untilWell(whole, 'source.downstream.0')
    for (const n of numbers(0, 5)) await publish('downstream/m', n)
    await proxy.accept()
    expect(await valuesIn('downstream', 5, kafka)).toEqual(numbers(0, 5))
    proxy.freeze()
    for (const n of numbers(5, 10)) await publish('downstream/m', n)
    expect(await untilProblem(whole, 'sink.downstream.0', 'unknown_outcome')).toContain(`${broker} did not answer`)
    proxy.thaw()
    // The same bytes with the same sequence: whether the first copy arrived after all or not, once.
    expect(await valuesIn('downstream', 10, kafka)).toEqual(numbers(0, 10))
    await untilWell(whole, 'sink.downstream.0')
    await balances(whole, 'downstream')
  })

  test('is down at the start, and later half open: MQTT', { timeout: 90_000 }, async () => {
    away.refuse()
    await whole.kafka.createTopic('upstream')
    const url = `mqtt://127.0.0.1:${away.port}`
    await whole.apply(together(mqtt('away', url), route('upstream', { ...small, connection: 'away' })))
    const message = await untilProblem(whole, 'source.upstream.0', 'broker_unreachable')
    expect(message).toContain(`No connection to the MQTT broker 127.0.0.1:${away.port}`)
    await away.accept()
    await untilWell(whole, 'source.upstream.0')
    for (const n of numbers(0, 5)) await publish('upstream/m', n)
    expect(await valuesIn('upstream', 5)).toEqual(numbers(0, 5))
    away.freeze()
    for (const n of numbers(5, 10)) await publish('upstream/m', n)
    expect(await untilProblem(whole, 'source.upstream.0', 'broker_unreachable')).toContain('has not answered')
    away.thaw()
    await eventually(async () => new Set(await valuesOf('upstream')).size === 10, {
      what: 'all of it',
      timeout: 20_000,
    })
    // What was under way when the connection fell silent may come twice; first arrivals are in order.
    expect([...new Set(await valuesOf('upstream'))]).toEqual(numbers(0, 10))
    await untilWell(whole, 'source.upstream.0')
    await balances(whole, 'upstream')
  })

  test('refuses the password, on both sides', { timeout: 90_000 }, async () => {
    const { kafka, guarded: broker } = guarded
    await kafka.createTopic('locked')
    await writeSecret('door', 'ingress', canaries.wrong)
    await writeSecret('vault', 'egress', canaries.wrong)
    await whole.apply(
      together(
        mqtt('door', door.url, ', auth: { password: { secretName: door } }'),
        kafkaConnection('vault', broker, ', auth: { sasl: { mechanism: plain, secretName: vault } }'),
        route('locked', { ...small, connection: 'door', sink: 'vault, topic: locked' }),
      ),
    )
    const refusedSource = await untilProblem(whole, 'source.locked.0', 'broker_refused')
    expect(refusedSource).toMatch(new RegExp(`127.0.0.1:${door.port} refused the connection: .*(authori|password)`))
    const refusedSink = await untilProblem(whole, 'sink.locked.0', 'authentication')
    expect(refusedSink).toContain(`${broker} refuses the credentials (SASL PLAIN): check the user name and password`)
    const { out } = await millrace(whole.fleet, 'status')
    expect(out).toContain(refusedSink)
    expect(out).toContain(refusedSource)
    await writeSecret('door', 'ingress', canaries.right)
    await writeSecret('vault', 'egress', canaries.right)
    await untilWell(whole, 'source.locked.0')
    await untilWell(whole, 'sink.locked.0')
    const insider = await connectAsync(door.url, { protocolVersion: 5, username: 'ingress', password: canaries.right })
    await insider.publishAsync('locked/m', '0', { qos: 1 })
    await insider.endAsync()
    expect(await valuesIn('locked', 1, kafka)).toEqual(['0'])
  })

  test('speaks no MQTT v5: another version, an older refusal, a web server', { timeout: 90_000 }, async () => {
    const refusals: [name: string, answer: Buffer | string, code: string, words: RegExp][] = [
      ['newer', Buffer.of(0x20, 3, 0, 0x84, 0), 'broker_refused', /Unsupported protocol version \(0x84\)/],
      ['older', Buffer.of(0x20, 2, 0, 1), 'broker_refused', /does not speak MQTT v5/],
      ['web', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol_error', /sent what MQTT does not allow/],
    ]
    const brokers: [CrookedBroker, Answers][] = []
    await using crooked = new AsyncDisposableStack()
    for (const [name, answer] of refusals) {
      const answers: Answers = { ...good, [kind.connect]: () => Buffer.from(answer) }
      const broker = crooked.use(await startCrooked(answers))
      brokers.push([broker, answers])
      await whole.apply(together(mqtt(name, broker.url), route(name, { ...small, connection: name })))
    }
    for (const [index, [name, , code, words]] of refusals.entries()) {
      const message = await untilProblem(whole, `source.${name}.0`, code)
      expect(message).toMatch(words)
      expect(message).toContain(brokers[index]?.[0].url.slice('mqtt://'.length))
    }
    // At least 200 ms, then more and more: a handful of attempts in the seconds that this has taken.
    for (const [broker, answers] of brokers) {
      expect(broker.connections).toBeLessThan(20)
      answers[kind.connect] = good[kind.connect]!
    }
    for (const [name] of refusals) await untilWell(whole, `source.${name}.0`)
    const names = refusals.map(([name]) => name)
    expect(await millrace(whole.fleet, 'delete', 'route', ...names, '--discard', '--yes')).toMatchObject({ code: 0 })
  })

  test('speaks no Kafka, but HTTP', { timeout: 90_000 }, async () => {
    await using web = await startWeb()
    await whole.kafka.createTopic('page')
    const sink = 'page, topic: page'
    await whole.apply(together(kafkaConnection('page', web.address), route('page', { ...small, sink })))
    const message = await untilProblem(whole, 'sink.page.0', 'broker_unreachable')
    expect(message).toContain(`${web.address} can't be reached`)
    await untilWell(whole, 'source.page.0')
    await publish('page/m', '0')
    await whole.apply(kafkaConnection('page', whole.kafka.brokers[0] ?? ''))
    expect(await valuesIn('page', 1)).toEqual(['0'])
    await untilWell(whole, 'sink.page.0')
  })
})

const valuesOf = async (topic: string) => (await whole.kafka.readAll(topic)).map(({ value }) => String(value))

test('no password is in any log, in the status, in the metrics, or in NATS', async () => {
  const { fleet, nats } = whole
  const { out, err } = await millrace(fleet, 'status', '-o', 'json')
  const { out: documents } = await millrace(fleet, 'get', 'connection', '-o', 'json')
  const metrics = await Promise.all(whole.services.map(({ name }) => metricsOf(whole, name)))
  expect(documents).toContain('"vault"')
  expect(await filesWith(fleet.folder, 'refused the connection')).not.toEqual([])
  for (const canary of Object.values(canaries)) {
    expect([out, err, documents, ...metrics].join('\n')).not.toContain(canary)
    expect(await filesWith(fleet.folder, canary)).toEqual([])
    expect(await filesWith(nats.folder, canary)).toEqual([])
  }
  // The search can find: what stands in the documents is in NATS.
  expect(await filesWith(nats.folder, 'secretName')).not.toEqual([])
})

test('nothing of it disturbed another route, and no process died', async () => {
  await calm.undisturbed()
  expect(whole.events).toEqual([])
})
