import { eventually, Instance, Ledger, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig } from './rig.ts'

noLeaks()

const main = new URL('../src/main.ts', import.meta.url)

test('killed again and again while messages come: none is lost, and their order is kept', async () => {
  await using rig = await Rig.start()
  await rig.keep()
  const { installation } = rig
  await using service = new Instance({ installation, service: 'mqtt-ingress', main, name: 'one' })
  await service.assign(rig.actor())
  const ledger = new Ledger()
  const enough = new AbortController()
  let sent = 0
  // What comes before the first subscription is nobody's.
  await eventually(() => rig.position(), { what: 'a lane that is open' })
  await eventually(
    async () => {
      await rig.publish(['t/begin', '-1'])
      return (await rig.values()).length > 0
    },
    { what: 'a subscription', interval: 100 },
  )
  const publisher = (async () => {
    while (!enough.signal.aborted) {
      const batch = Array.from({ length: 20 }, () => sent++)
      await rig.publish(...batch.map((n): [string, string] => ['t/1', String(n)]))
      for (const n of batch) ledger.acknowledged('publisher', n)
    }
  })()
  for (let kill = 0; kill < 4; kill++) {
    const before = sent
    await eventually(() => sent > before + 500, { what: 'messages' })
    await service.kill('SIGKILL')
    service.restart()
    await service.assign(rig.actor())
  }
  enough.abort()
  await publisher
  await eventually(async () => (await rig.values()).includes(String(sent - 1)), {
    what: 'the last one',
    interval: 200,
    timeout: 20_000,
  })
  for (const value of await rig.values()) if (value !== '-1') ledger.delivered('publisher', Number(value))
  const { acknowledged, lost, outOfOrder } = ledger.report()
  expect({ acknowledged, lost, outOfOrder }).toEqual({ acknowledged: sent, lost: [], outOfOrder: [] })
  await service.kill('SIGTERM')
  expect(service.exitCode).toBe(0)
})
