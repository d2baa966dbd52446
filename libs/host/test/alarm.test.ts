/** An alarm (R5) stops its lane until somebody has looked: what keeps it, and what lets the lane go on. */
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, sink } from './rig.ts'

noLeaks()

test('an alarm outlives the lease; a process that starts again, under a new epoch, goes on where it can', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'alarm', 'r')
  await using service = rig.service()
  await rig.assign([sink('alarm', 5), sink('r', 6)])
  const alarmed = { id: 'sink.alarm.0', epoch: 5, state: 'failed', problem: { code: 'lane_gap' } }
  const shown = () =>
    rig.seen('the alarm, beside a lane that runs', ({ actors }) => {
      return actors.some(({ state }) => state === 'failed') && actors.some(({ state }) => state === 'running')
    })
  expect((await shown()).actors).toMatchObject([alarmed, {}])
  rig.nats.pause()
  await service.saw('aborted')
  rig.nats.resume()
  await service.saw('started', 2)
  expect((await shown()).actors).toMatchObject([alarmed, {}])
  expect(service.lines.filter(({ code }) => code === 'lane_gap')).toHaveLength(1)

  service.kill('SIGKILL')
  await using again = rig.service()
  const { startId } = await rig.seen('another process', ({ actors }) => actors.length === 0)
  await rig.assign([sink('alarm', 7), sink('r', 8)], { startId })
  await again.saw('started', 2)
  await eventually(() => again.events('write').some(({ epoch }) => epoch === 7), { what: 'the lane goes on' })
})

test('an operator may have the lane look again, where it is', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'alarm')
  await using service = rig.service()
  await rig.assign([sink('alarm', 5)])
  const alarms = (times: number) =>
    eventually(() => service.lines.filter(({ code }) => code === 'lane_gap').length === times, {
      what: `${times} alarms`,
    })
  await alarms(1)
  expect(await rig.ask({ op: 'resume', actor: 'sink.alarm.0' })).toEqual({ ok: true })
  await alarms(2)
})
