import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, route } from './rig.ts'

noLeaks()

test('lanes move within their time when an instance comes, drains, restarts and dies', async () => {
  await using rig = await Rig.open()
  await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  const a = rig.instance('kafka-egress', 'a')
  expect(await rig.apply({ r: route(6) })).toMatchObject({ ok: true })
  await rig.placed('kafka-egress', 6)
  await rig.placed('mqtt-ingress', 6)

  const b = rig.instance('kafka-egress', 'b')
  await eventually(() => a.running.size === 3 && b.running.size === 3, { what: 'half of the lanes move to b' })

  b.say('draining')
  await eventually(() => a.running.size === 6, { what: 'the lanes of b, which drains, move to a', timeout: 1_000 })
  b.say('running')
  await eventually(() => b.running.size === 3, { what: 'b has its share again', timeout: 1_000 })

  b.kill()
  const again = rig.instance('kafka-egress', 'b')
  await eventually(() => again.running.size === 3, { what: 'b, started again, has its lanes', timeout: 3_000 })

  a.kill()
  await eventually(() => again.running.size === 6, { what: 'the lanes of a, which died, are at b', timeout: 8_000 })
  rig.check()
})

test('nothing moves because NATS was away for longer than a lease', async () => {
  await using rig = await Rig.open()
  await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  rig.instance('kafka-egress', 'a')
  rig.instance('kafka-egress', 'b')
  await rig.apply({ r: route(4) })
  await rig.placed('kafka-egress', 4)
  const { term } = await rig.leader('c0')
  await rig.placed('mqtt-ingress', 4)
  await eventually(() => rig.instances.every(({ running }) => running.size > 1), { what: 'balanced' })
  const starts = rig.starts
  await rig.nats.kill()
  await sleep(7_000)
  await rig.nats.restart()
  await eventually(async () => (await rig.leader('c0')).term > term, { what: 'c0 leads again', timeout: 30_000 })
  await rig.apply({ s: route(1) })
  await rig.placed('kafka-egress', 5)
  await rig.placed('mqtt-ingress', 5)
  expect(rig.starts).toBe(starts + 2)
  rig.check()
})
