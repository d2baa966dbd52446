/**
 * mosquitto's own SIGKILL, apart: it writes sessions and messages every 30 minutes and at its orderly end, so it loses
 * what it had acknowledged since. Nobody behind it can bring that back. What reached Millrace is delivered, and that
 * the session is lost is told.
 */
import { noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killAndRestart } from './faults.ts'
import { actorOf, untilProblem } from './observe.ts'
import { publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole()
})
afterAll(() => whole[Symbol.asyncDispose]())

test('mosquitto is killed: what reached Millrace is delivered, and the lost session is told', async () => {
  await whole.apply(ledgerRoute('careless'))
  await whole.untilRunning('careless')
  const tally = new Tally(whole, 'careless')
  const { ledger } = tally
  const send = (prefix: string, each: number) =>
    publish({ url: whole.mosquitto.url, root: 'careless', publishers: 10, qos: 1, rate: 2_000, prefix, each, ledger })
  const killing = async () => {
    await tally.arrive(500)
    // Behind this it holds what it has acknowledged, and will lose.
    whole.mqttProxy.freeze()
    await tally.acknowledge(1_000)
    await killAndRestart(whole.mosquitto)
    whole.mqttProxy.thaw()
  }
  await Promise.all([send('before', 400), killing()])
  await untilProblem(whole, 'source.careless.0', 'session_lost')
  await tally.settleWhatCame()
  const { lost, outOfOrder } = ledger.report()
  await send('after', 100)
  await tally.settle({ elsewhere: lost.length })
  const [source, sink] = await Promise.all(['source', 'sink'].map(role => actorOf(whole, `${role}.careless.0`)))
  print('ledger of mosquitto killed while it held messages', [tally, `lost by mosquitto: ${lost.length}`])
  expect(outOfOrder).toEqual([])
  expect(ledger.report().lost).toEqual(lost)
  expect(lost.length, 'the fault did happen').toBeGreaterThan(0)
  expect(sink?.counts?.['out'], 'all that reached Millrace').toBe(source?.counts?.['in'])
  expect(tally.arrived).toBe(sink?.counts?.['out'])
})
