/**
 * An older copy of what nats-server keeps, put in place of the newer while the services run: whoever wrote or read beyond
 * it says so and stops. What the copy holds and does not know to be delivered is delivered again.
 */
import { cp, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { dataStream, readEnd } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownerOf, sigkill } from './faults.ts'
import { millrace } from './observe.ts'
import { publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole()
})
afterAll(() => whole[Symbol.asyncDispose]())

/** 500 messages of 10 publishers of this prefix; resolves when the broker has acknowledged them. */
function send(route: string, prefix: string, tally: Tally): Promise<void> {
  const load = { publishers: 10, each: 50, qos: 1, rate: 2_000 } as const
  return publish({ url: whole.mosquitto.url, root: route, ...load, prefix, ledger: tally.ledger })
}

/** What nats-server keeps: all of it, or one stream's folder. */
async function kept(stream?: string): Promise<string> {
  const store = path.join(whole.nats.folder, 'store')
  if (stream === undefined) return store
  const folders = await readdir(store, { recursive: true })
  const found = folders.find(folder => path.basename(folder) === stream)
  if (found === undefined) throw new Error(`nats-server keeps no ${stream}`)
  return path.join(store, found)
}

const copyOf = (folder: string) => path.join(whole.nats.folder, `copy-${path.basename(folder)}`)

/** Copies the folder while nats-server is stopped. */
async function copy(folder: string): Promise<void> {
  await whole.nats.kill('SIGTERM')
  await cp(folder, copyOf(folder), { recursive: true })
  await whole.nats.restart()
}

/** Puts the copy in place of the folder while nats-server is stopped. */
async function putBack(folder: string): Promise<void> {
  await whole.nats.kill('SIGTERM')
  await rm(folder, { recursive: true })
  await cp(copyOf(folder), folder, { recursive: true })
  await whole.nats.restart()
}

/** The alarms of a route's actors in their order, `<role>: <code>`, as the services' logs tell them. */
async function alarmsOf(route: string): Promise<string[]> {
  const logs = ['mqtt-ingress-1', 'kafka-egress-1'].map(name => path.join(whole.fleet.folder, `${name}.log`))
  const lines = (await Promise.all(logs.map(log => readFile(log, 'utf8')))).join('').split('\n')
  const alarms = lines.filter(line => line.includes('"AlarmError"')).map(line => JSON.parse(line))
  const ofRoute = alarms.filter(alarm => alarm.route === route)
  return ofRoute.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time)).map(({ role, code }) => `${role}: ${code}`)
}

/** Waits until there are more alarms than these, and gives the new ones. */
async function untilAlarm(route: string, before: readonly string[] = []): Promise<string[]> {
  const more = async () => (await alarmsOf(route)).length > before.length
  await eventually(more, { what: `an alarm of ${route}`, timeout: 30_000 })
  return (await alarmsOf(route)).slice(before.length)
}

/** A route that has delivered 500 messages, and its ledger. */
async function begin(route: string): Promise<Tally> {
  await whole.apply(ledgerRoute(route))
  await whole.untilRunning(route)
  const tally = new Tally(whole, route)
  await send(route, 'before', tally)
  await tally.settle()
  return tally
}

/** How many records the lane ever held. */
async function heldEver(route: string): Promise<number> {
  const end = await readEnd(whole.bus, { service: 'mqtt-ingress', route, lane: '0' })
  return end === undefined ? 0 : end.base + end.count
}

test('an old copy of everything: an alarm; services that start again lose nothing, and repeat', async () => {
  const tally = await begin('all')
  whole.kafka.pause()
  await send('all', 'copied', tally)
  await eventually(async () => (await heldEver('all')) >= 1_000, { what: 'they are stored' })
  const store = await kept()
  await copy(store)
  whole.kafka.resume()
  await send('all', 'after', tally)
  await tally.settle()
  await putBack(store)
  await send('all', 'late', tally)
  const alarms = await untilAlarm('all')
  for (const role of ['source', 'sink'] as const) sigkill(await ownerOf(whole, role, 'all'))
  await tally.settle()
  print('ledger of a route whose bus was replaced by an older copy', [...alarms, tally])
  expect(tally.ledger.report()).toMatchObject({ delivered: 2_000, lost: [] })
})

test('an old copy of a stream: the sink stops, also when the stream has grown again; a new route goes on', async () => {
  const tally = await begin('stream')
  const folder = await kept(dataStream('stream'))
  await copy(folder)
  await send('stream', 'after', tally)
  await tally.settle()
  await putBack(folder)
  const first = await untilAlarm('stream')
  sigkill(await ownerOf(whole, 'source', 'stream'))
  await send('stream', 'late', tally)
  await eventually(async () => (await heldEver('stream')) >= 1_000, { what: 'they are stored', timeout: 30_000 })
  const before = await alarmsOf('stream')
  sigkill(await ownerOf(whole, 'sink', 'stream'))
  const again = await untilAlarm('stream', before)
  for (const alarms of [first, again])
    expect(alarms.join()).toMatch(/sink: (position_beyond|totals_differ|lane_replaced)/)
  await tally.arriveAll(500)
  expect(tally.ledger.report()).toMatchObject({ delivered: 1_000, duplicates: 0 })

  await millrace(whole.fleet, 'delete', 'route', 'stream', '--discard', '--yes')
  await eventually(() => whole.apply(ledgerRoute('stream')), { what: 'it is gone', timeout: 30_000 })
  await whole.untilRunning('stream')
  await send('stream', 'anew', tally)
  await tally.settle({ elsewhere: 500 })
  print('ledger of a route whose stream was replaced by an older copy', [...first, ...again, tally])
  const { lost, ...counted } = tally.ledger.report()
  expect(counted).toMatchObject({ delivered: 1_500, duplicates: 0 })
  expect(new Set(lost.map(({ publisher }) => publisher.slice(0, 4)))).toEqual(new Set(['late']))
})
