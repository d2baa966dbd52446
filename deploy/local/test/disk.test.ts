/** A disk that is full: nothing that a publisher was told is safe is lost, and it all goes on when there is room. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { natsUsers } from '@millrace/bus'
import {
  eventually,
  type Kafka,
  type Mosquitto,
  type NatsServer,
  noLeaks,
  startKafka,
  startMosquitto,
  startNats,
} from '@millrace/testkit'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyDocuments } from '../up/apply.ts'
import { type FleetOptions, newPasswords, startFleet } from '../up/fleet.ts'
import type { Kept } from '../up/keep.ts'
import { kafka as kafkaConnection, mqtt, route, together } from './documents.ts'
import { filesWith, millrace } from './observe.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'

noLeaks()

const stack = new AsyncDisposableStack()
let disk: SmallDisk
let nats: NatsServer
let mosquitto: Mosquitto
let kafka: Kafka
let fleet: FleetOptions
let services: Kept[]
const events: string[] = []
beforeAll(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-full-'))
  stack.defer(() => rm(folder, { recursive: true }))
  disk = stack.use(await mountSmallDisk(64))
  const passwords = newPasswords()
  // More than the disk has, as where others fill it too: else a stream is full before its disk is.
  const options = { users: natsUsers(passwords), storeDir: disk.folder, maxFileStore: '1GB' }
  ;[nats, mosquitto, kafka] = await Promise.all([startNats(options), startMosquitto(), startKafka()])
  for (const server of [nats, mosquitto, kafka]) stack.use(server)
  const tell = (line: string) => void events.push(line)
  fleet = { natsUrl: nats.url, natsMonitorUrl: nats.monitorUrl, passwords, folder, tell }
  services = await startFleet({ coordinator: 1, 'mqtt-ingress': 1, 'kafka-egress': 1 }, fleet)
  stack.defer(async () => void (await Promise.all(services.map(service => service.stop()))))
  const file = path.join(folder, 'documents.yaml')
  const ends = [mqtt('plant', mosquitto.url), kafkaConnection('lake', kafka.brokers[0] ?? '')]
  await writeFile(file, together(...ends, route('disk', { buffer: '256MiB' })))
  await applyDocuments(file, fleet, AbortSignal.timeout(30_000))
})
afterAll(() => stack.disposeAsync())

const count = 900
const status = async () => (await millrace(fleet, 'status')).out
const valuesOf = async () => (await kafka.readAll('disk')).map(({ value }) => Number(value))

test('a full disk: what was acknowledged is kept, and goes on when there is room', { timeout: 120_000 }, async () => {
  const runs = async () => /disk\/0 source +mqtt-ingress.1 +running/.test(await status())
  await eventually(runs, { what: 'it runs', timeout: 20_000 })
  const publisher = await connectAsync(mosquitto.url, { protocolVersion: 5 })
  for (let n = 0; n < count; n++) await publisher.publishAsync('disk/m', String(n).padEnd(100_000), { qos: 1 })
  await publisher.endAsync()
  // nats-server freezes the stream and answers nobody.
  const logs = async (text: string) => (await filesWith(fleet.folder, text)).map(file => path.basename(file))
  await eventually(async () => (await logs('is its disk full?')).includes('mqtt-ingress-1.log'), {
    what: 'mqtt-ingress says why it holds',
    timeout: 20_000,
  })
  // The heartbeats have a stream of their own, which may still find a little room.
  expect(await status()).toMatch(/disk\/0 source is holding: .*is its disk full|mqtt-ingress.1 +silent/)
  expect((await fetch(`${nats.monitorUrl}/healthz`)).ok).toBe(false)

  await disk.resize(300)
  await nats.restart()
  await kafka.createTopic('disk')
  await eventually(async () => new Set(await valuesOf()).size === count, { what: 'delivered', timeout: 40_000 })
  // What was under way when the disk was full may come twice; first arrivals are in order.
  expect([...new Set(await valuesOf())]).toEqual([...Array(count).keys()])
  await eventually(runs, { what: 'it runs again', timeout: 20_000 })
  expect(events).toEqual([])
})
