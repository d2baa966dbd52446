import { askControl } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig } from './rig.ts'

noLeaks()

test('a standing service runs unplaced, is supervised, answers, shows its metrics, and outlives its lease', async () => {
  await using rig = await Rig.start()
  await using service = rig.service('./standing-probe.ts', { MILLRACE_NATS_PASSWORD: 'cccc' })
  await service.saw('started', 2)
  const ask = (request: object) => askControl(rig.bus, { service: 'coordinator', instance: 'one' }, request)
  const url = `http://127.0.0.1:${await service.port()}`
  const ready = async () => {
    const page = await fetch(`${url}/readyz`)
    return [page.status, await page.text()]
  }
  expect(await ready()).toEqual([503, 'coordinator is starting: not yet\n'])
  expect(await ask({ op: 'begin' })).toEqual({ ok: true })
  const document = await eventually(
    async () => {
      const entry = await rig.instances.read('coordinator.one')
      return entry?.value.actors[0]?.state === 'running' && entry.value
    },
    { what: 'it runs' },
  )
  expect(document).toMatchObject({ state: 'running', actors: [{ id: 'coordinator' }] })
  expect(await ready()).toEqual([200, 'ok\n'])

  expect(await ask({ op: 'apply', what: 'all' })).toMatchObject({ ok: true, what: 'all' })
  expect(await ask({ op: 'apply', what: 'bad' })).toEqual({ ok: false, problem: { code: 'invalid', message: 'bad' } })
  expect(await ask({ op: 'throw' })).toMatchObject({ ok: false, problem: { code: 'internal' } })
  expect(await ask({ op: 'pause' })).toMatchObject({ ok: false, problem: { code: 'unknown_op' } })

  const leads = async () =>
    /^millrace_leader\{instance="one"\} (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]
  expect(await leads()).toBe('1')
  await rig.nats.kill()
  await eventually(async () => (await leads()) === '0', { what: 'it is told that it can not be seen' })
  expect(await ready()).toEqual([503, 'no connection to NATS\n'])
  await rig.nats.restart()
  await eventually(async () => (await leads()) === '1', { what: 'it is seen again' })
  expect(service.events('started')).toHaveLength(2)

  service.kill('SIGTERM')
  expect(await service.exited()).toBe(0)
  expect(service.events('aborted', 'drained').map(({ event }) => event)).toEqual(['drained'])
})
