/** Each user is let do its work (the other test files prove that), and is refused what is not its own. */
import { install, type Installation, noLeaks, passwords } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bus, natsUserNames, type NatsUserName, natsUsers, PermissionError } from '../src/index.ts'

noLeaks()

let installation: Installation
const buses = new Map<NatsUserName, Bus>()

beforeAll(async () => {
  installation = await install()
  await installation.route('telemetry')
  for (const user of natsUserNames) buses.set(user, await installation.connect(user))
})
afterAll(() => installation[Symbol.asyncDispose]())

const consumer = (stream: string, filter: string) => `$JS.API.CONSUMER.CREATE.${stream}.x.${filter}`

const notOfPlaced = [
  '$JS.API.STREAM.CREATE.MR_D_new',
  '$JS.API.STREAM.UPDATE.MR_D_telemetry',
  '$JS.API.STREAM.DELETE.MR_D_telemetry',
  '$JS.API.STREAM.PURGE.MR_D_telemetry',
  '$JS.API.STREAM.PURGE.KV_mr_positions',
  '$JS.API.STREAM.MSG.DELETE.MR_D_telemetry',
  '$JS.API.STREAM.MSG.GET.KV_mr_leader',
  '$JS.API.STREAM.SNAPSHOT.MR_D_telemetry',
  '$JS.API.DIRECT.GET.MR_D_telemetry',
  '$JS.API.CONSUMER.DELETE.MR_D_telemetry.x',
  '$JS.API.CONSUMER.DURABLE.CREATE.MR_D_telemetry.x',
  consumer('KV_mr_positions', '$KV.mr_positions.>'),
  consumer('KV_mr_assign', '$KV.mr_assign.>'),
  '$KV.mr_routes.current',
  '$KV.mr_leader.leader',
  '$KV.mr_assign.kafka-egress.a',
  '$KV.mr_assign.mqtt-ingress.a',
  'mr.ctl.coordinator.a',
  'mr.d.iothub-source.telemetry.0',
  '$SYS.REQ.SERVER.PING',
]

const refused: Record<NatsUserName, string[]> = {
  'mqtt-ingress': [
    ...notOfPlaced,
    '$JS.API.STREAM.MSG.GET.KV_mr_positions',
    consumer('MR_D_telemetry', 'mr.d.>'),
    '$KV.mr_instances.kafka-egress.a',
    '$KV.mr_positions.kafka-egress.telemetry.0',
    '$KV.mr_positions.mqtt-ingress.telemetry.0',
    'mr.d.kafka-ingress.telemetry.0',
    'mr.x.kafka-egress.telemetry.0',
    'mr.p.kafka-egress.telemetry.0',
  ],
  'kafka-ingress': [
    ...notOfPlaced,
    '$JS.API.STREAM.MSG.GET.KV_mr_positions',
    consumer('MR_D_telemetry', 'mr.d.>'),
    '$KV.mr_instances.mqtt-ingress.a',
    '$KV.mr_positions.kafka-ingress.telemetry.0',
    'mr.d.mqtt-ingress.telemetry.0',
    'mr.x.mqtt-ingress.telemetry.0',
  ],
  'mqtt-egress': [
    ...notOfPlaced,
    '$KV.mr_instances.kafka-egress.a',
    '$KV.mr_positions.kafka-egress.telemetry.0',
    'mr.d.kafka-ingress.telemetry.0',
    'mr.x.kafka-egress.telemetry.0',
    'mr.p.kafka-egress.telemetry.0',
  ],
  'kafka-egress': [
    ...notOfPlaced,
    '$KV.mr_instances.mqtt-ingress.a',
    '$KV.mr_positions.mqtt-egress.telemetry.0',
    'mr.d.mqtt-ingress.telemetry.0',
    'mr.x.mqtt-ingress.telemetry.0',
    'mr.p.mqtt-egress.telemetry.0',
  ],
  coordinator: [
    'mr.d.mqtt-ingress.telemetry.0',
    'mr.x.kafka-egress.telemetry.0',
    'mr.p.kafka-egress.telemetry.0',
    '$JS.API.STREAM.MSG.DELETE.MR_D_telemetry',
    '$JS.API.STREAM.RESTORE.MR_D_telemetry',
    consumer('MR_D_telemetry', 'mr.d.>'),
  ],
  cli: [
    ...notOfPlaced.filter(subject => !/MSG\.GET|CONSUMER\.CREATE|mr\.ctl/.test(subject)),
    '$KV.mr_instances.mqtt-ingress.a',
    '$KV.mr_positions.kafka-egress.telemetry.0',
    'mr.d.mqtt-ingress.telemetry.0',
    'mr.x.kafka-egress.telemetry.0',
    consumer('MR_D_telemetry', 'mr.d.>'),
  ],
}

/** Rejects when the server refuses the subscription. */
function listening(bus: Bus, subject: string): Promise<never> {
  return new Promise((_, reject) => {
    bus.nc.subscribe(subject, {
      callback: error => {
        if (error !== null) reject(error)
      },
    })
  })
}

describe.each(natsUserNames)('%s', user => {
  const bus = (): Bus => {
    const found = buses.get(user)
    if (found === undefined) throw new Error(`${user} is not connected.`)
    return found
  }

  test.each(refused[user])('may not publish to %s', async subject => {
    await expect(bus().call(bus().nc.request(subject, '{}', { timeout: 5_000 }))).rejects.toThrow(PermissionError)
  })

  test.each(['mr.d.>', 'mr.ctl.*.*', '$KV.>', '_INBOX.>', '>', '_INBOX_nobody.>'])(
    'may not listen to %s',
    async subject => {
      await expect(listening(bus(), subject)).rejects.toThrow(/permissions violation/i)
    },
  )

  test('may not listen where others get their answers', async () => {
    const other = user === 'cli' ? 'coordinator' : 'cli'
    await expect(listening(bus(), `_INBOX_${other}.>`)).rejects.toThrow(/permissions violation/i)
  })
})

test('A violation is told to whoever listens to the connection, too', async () => {
  const bus = buses.get('cli')
  const { promise, resolve } = Promise.withResolvers<string>()
  const off = bus?.on(event => event.is === 'refused' && resolve(event.error.subject))
  bus?.nc.publish('mr.d.mqtt-ingress.telemetry.0', 'x')
  expect(await promise).toBe('mr.d.mqtt-ingress.telemetry.0')
  off?.()
})

test('A password can hold anything but control characters, and is never part of an error', () => {
  const secret = 'line\nbreak'
  expect(() => natsUsers({ ...passwords, cli: secret })).toThrow(
    /^A password for NATS can not have control characters.$/,
  )
})
