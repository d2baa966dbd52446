/**
 * SIGKILL of mosquitto itself: it has its sessions in memory, so it loses what it had acknowledged to publishers and not
 * yet delivered, whatever is behind it. What reached the lane is safe, and the loss of the session is told.
 */
import { eventually, Ledger, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killAndRestart } from './faults.ts'
import { type LaneWatcher, watchLanes } from './lane-watcher.ts'
import { millrace, untilProblem } from './observe.ts'
import { numberOf, publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

/** What reached the lane, as somebody outside saw it, is what must be delivered. */
const lane = new Ledger()
let whole: Whole
let watcher: LaneWatcher
let tally: Tally
beforeAll(async () => {
  whole = await startWhole()
  await whole.apply(ledgerRoute('broker'))
  watcher = await watchLanes(whole, ['broker'], ({ value, headers }) => {
    const topic = headers.find(([name]) => name === 'mqtt.topic')?.[1]
    const publisher = String(topic).split('/')[1] ?? ''
    lane.acknowledged(publisher, numberOf(publisher, value ?? Buffer.alloc(0)))
  })
  await whole.untilRunning('broker')
  tally = new Tally(whole, 'broker')
})
afterAll(async () => {
  await watcher?.[Symbol.asyncDispose]()
  await whole?.[Symbol.asyncDispose]()
})

/** Lets publishers of this name publish while something is done to their broker, and on until it works again. */
async function publishWhile(prefix: string, act: () => Promise<void>): Promise<void> {
  const over = new AbortController()
  const load = { publishers: 10, each: 1, until: over.signal, qos: 1, rate: 1_000, root: 'broker', prefix } as const
  const doIt = async () => {
    await tally.arrive(500)
    await act()
    await tally.arrive(500)
  }
  const { url } = whole.mosquitto
  await Promise.all([doIt().finally(() => over.abort()), publish({ url, ...load, ledger: tally.ledger })])
}

/** Kills mosquitto while it has nobody to deliver to: what it acknowledges meanwhile is in its memory alone. */
async function killWithoutSubscriber(): Promise<void> {
  whole.mqttProxy.refuse()
  whole.mqttProxy.cut()
  await tally.acknowledge(500)
  await killAndRestart(whole.mosquitto)
  await whole.mqttProxy.accept()
}

/** Waits until a message that was published last is in Kafka: all that mosquitto still had went before it. */
async function untilLastArrived(): Promise<void> {
  const last = { publishers: 1, each: 1, qos: 1, rate: 1, root: 'broker', prefix: 'last' } as const
  await publish({ url: whole.mosquitto.url, ...last, ledger: tally.ledger })
  const arrived = async () => {
    await tally.arrive(0)
    return lostBy('last') === 0
  }
  await eventually(arrived, { what: 'the last message is in Kafka', interval: 200, timeout: 30_000 })
}

const lostBy = (prefix: string) =>
  tally.ledger.report().lost.filter(({ publisher }) => publisher.startsWith(prefix)).length

test('SIGKILL of mosquitto: all that reached the lane is delivered in order, and the lost session is told', async () => {
  await publishWhile('served', () => killAndRestart(whole.mosquitto))
  expect(await untilProblem(whole, 'source.broker.0', 'session_lost')).toContain('had acknowledged to publishers')
  await publishWhile('alone', killWithoutSubscriber)
  await untilLastArrived()
  await whole.kafka.forEach('broker', ({ key, value }) => {
    const publisher = String(key)
    lane.delivered(publisher, numberOf(publisher, value ?? Buffer.alloc(0)))
  })
  const reached = lane.report()
  print("mosquitto's own SIGKILL", [
    `acknowledged by mosquitto ${tally.ledger.report().acknowledged}; reached the lane ${reached.acknowledged}`,
    `lost by mosquitto, with its subscriber connected: ${lostBy('served')}; with it away: ${lostBy('alone')}`,
    `of what reached the lane: lost ${reached.lost.length}, out of order ${reached.outOfOrder.length}`,
    `duplicates ${reached.duplicates}`,
  ])
  expect(reached.acknowledged).toBeGreaterThan(2_000)
  expect(reached).toMatchObject({ lost: [], outOfOrder: [], unacknowledgedButDelivered: 0 })
  expect(lostBy('alone'), 'what mosquitto had in memory alone').toBeGreaterThan(0)
  expect(watcher.wrong).toEqual([])
})

test('session_lost is in `millrace status`', async () => {
  const { out } = await millrace(whole.fleet, 'status')
  expect(out).toMatch(/broker\/0 source .*has no session/)
})
