import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { firsts, numbered, numbers } from './numbered.ts'
import { Rig } from './rig.ts'

noLeaks()

test('MQTT 3.1.1: the session holds what comes meanwhile, gives it to the next owner, and ends when the slot retires', async () => {
  await using rig = await Rig.start()
  rig.brokerVersion = '3.1.1'
  await rig.publish(['t/kept', 'retained', { retain: true }])
  const first = rig.run({ retained: 'skip' })
  await first.is('running')
  await rig.publish(...numbered(1, 100))
  await rig.stored(100)
  await first.drain()
  await rig.publish(...numbered(101, 200))
  const second = rig.run({ retained: 'skip' })
  await rig.stored(200)
  expect(second.told).not.toContain('running session_lost')
  await second.drain()
  await rig.publish(...numbered(201, 300))
  await rig.run({ retained: 'skip', retire: true }).ended
  expect(firsts(await rig.values())).toEqual(numbers(1, 300))
  await rig.publish(['t/1', 'for nobody'])
  const back = rig.run({ retained: 'skip' })
  await back.is('running')
  await rig.publish(['t/1', 'back'])
  await eventually(async () => (await rig.values()).includes('back'), { what: 'what came after' })
  expect(await rig.values()).not.toContain('for nobody')
  await rig.publish(['t/kept', '', { retain: true }])
})
