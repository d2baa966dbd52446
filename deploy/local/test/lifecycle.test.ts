/** Routes that end and change while messages are on their way: what was acknowledged is delivered, and nothing stays. */
import { Bucket, dataStream, deadLetterStream, positionDocument, routesDocument, streamInfo } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { connect, type IConnackPacket } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCalm } from './calm.ts'
import { countOf, millrace } from './observe.ts'
import { publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ keepAlive: '2s', instances: { 'mqtt-ingress': 2, 'kafka-egress': 2 } })
})
afterAll(() => whole[Symbol.asyncDispose]())

const load = { publishers: 10, qos: 1, rate: 2_000 } as const
const routes = async () => (await new Bucket(whole.bus, 'mr_routes', routesDocument).read('current'))?.value
const uidOf = async (route: string) => (await routes())?.routes[route]?.uid

/** Whether the broker keeps a session for this client id; if so, it does not any more. */
async function hasSession(clientId: string): Promise<boolean> {
  const client = connect(whole.mosquitto.url, { protocolVersion: 5, clientId, clean: false })
  const { sessionPresent } = await new Promise<IConnackPacket>(resolve => client.once('connect', resolve))
  await client.endAsync()
  return sessionPresent
}

/** Waits until the route is gone: from the routes, the bus and the broker. */
async function untilGone(route: string): Promise<void> {
  await eventually(async () => (await uidOf(route)) === undefined, { what: `${route} is gone`, timeout: 30_000 })
  for (const stream of [dataStream(route), deadLetterStream(route)]) {
    expect(await streamInfo(whole.bus, stream)).toBeUndefined()
  }
  const positions = await new Bucket(whole.bus, 'mr_positions', positionDocument).list()
  expect([...positions.keys()].filter(key => key.includes(`.${route}.`))).toEqual([])
  const clientId = `${(await routes())?.installation}-${route}-0`
  expect(await hasSession(clientId), 'the session is ended').toBe(false)
}

test('a deleted route delivers what is stored, and what the broker holds, and is gone', async () => {
  await whole.apply(ledgerRoute('gone'))
  await whole.untilRunning('gone')
  const uid = await uidOf('gone')
  const tally = new Tally(whole, 'gone')
  const send = (prefix: string, each: number) =>
    publish({ url: whole.mosquitto.url, root: 'gone', ...load, prefix, each, ledger: tally.ledger })
  await send('delivered', 50)
  await tally.settle()
  whole.kafka.pause()
  await send('stored', 50)
  await eventually(async () => (await countOf(whole, 'source.gone.0', 'in')) >= 1_000, { what: 'they are stored' })
  whole.mqttProxy.refuse()
  whole.mqttProxy.cut()
  await send('held', 50)
  const { out, code } = await millrace(whole.fleet, 'delete', 'route', 'gone')
  expect([code, out]).toEqual([0, expect.stringContaining('its sources stop')])
  await whole.mqttProxy.accept()
  whole.kafka.resume()
  await tally.arriveAll()
  await untilGone('gone')
  const before = tally.arrived
  expect(tally.ledger.report()).toMatchObject({ delivered: 1_500, lost: [], outOfOrder: [] })

  await whole.apply(ledgerRoute('gone'))
  await whole.untilRunning('gone')
  expect(await uidOf('gone')).not.toBe(uid)
  await send('anew', 50)
  await tally.settle()
  print('ledger of a route deleted with 500 stored and 500 at the broker, and applied again', [tally])
  expect(tally.ledger.report()).toMatchObject({ delivered: 2_000, lost: [], outOfOrder: [] })
  expect(tally.arrived - before, 'nothing old is repeated').toBe(500)
})

test('--discard says how many records it throws away, and leaves nothing either', async () => {
  await whole.apply(ledgerRoute('thrown'))
  await whole.untilRunning('thrown')
  const tally = new Tally(whole, 'thrown')
  const send = (prefix: string) =>
    publish({ url: whole.mosquitto.url, root: 'thrown', ...load, prefix, each: 30, ledger: tally.ledger })
  await send('delivered')
  await tally.settle()
  await whole.kafka.kill()
  await send('stored')
  await eventually(async () => (await countOf(whole, 'source.thrown.0', 'in')) === 600, { what: 'they are stored' })
  const asked = await millrace(whole.fleet, 'delete', 'route', 'thrown', '--discard')
  expect(asked).toMatchObject({ code: 2, err: expect.stringContaining('300 records') })
  const done = await millrace(whole.fleet, 'delete', 'route', 'thrown', '--discard', '--yes')
  expect(done).toMatchObject({ code: 0, out: expect.stringContaining('300 records were thrown away') })
  await untilGone('thrown')
  await whole.kafka.restart()

  await whole.apply(ledgerRoute('thrown'))
  await whole.untilRunning('thrown')
  await send('anew')
  await tally.settle({ elsewhere: 300 })
  print('ledger of a route discarded with 300 stored, and applied again', [tally])
  expect(tally.ledger.report()).toMatchObject({ delivered: 600, duplicates: 0, outOfOrder: [] })
  expect(new Set(tally.ledger.report().lost.map(({ publisher }) => publisher.slice(0, 6)))).toEqual(new Set(['stored']))
})

test('filters and subscribers change under load, and no other route notices', { timeout: 120_000 }, async () => {
  const calm = await startCalm(whole)
  const change = async (more: object) => {
    await whole.apply(ledgerRoute('shift', more))
    await tally.arrive(500)
  }
  await whole.apply(ledgerRoute('shift'))
  await whole.untilRunning('shift')
  const tally = new Tally(whole, 'shift')
  const over = new AbortController()
  const changeAll = async () => {
    await tally.arrive(500)
    await change({ topics: 'shift/#' })
    await change({ topics: 'shift/+/n' })
    await change({ source: 'subscribers: 2' })
    await change({})
    const retiring = async () => (await routes())?.routes['shift']?.retiring?.length
    await eventually(async () => (await retiring()) === 0, { what: 'the second slot is retired', timeout: 30_000 })
    await tally.arrive(500)
  }
  await Promise.all([
    changeAll().finally(() => over.abort()),
    publish({
      url: whole.mosquitto.url,
      root: 'shift',
      ...load,
      rate: 500,
      each: 1,
      until: over.signal,
      ledger: tally.ledger,
    }),
  ])
  await tally.settle()
  print('ledger of a route whose filter changed twice, and its subscribers from 1 to 2 to 1', [tally])
  expect(tally.ledger.report().lost).toEqual([])
  await calm.undisturbed()
})
