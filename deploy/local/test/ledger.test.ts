/**
 * The promise, from outside: what the broker acknowledged to a publisher is in Kafka, in order, whatever was killed
 * meanwhile. Duplicates are allowed (the routes are at-least-once), and counted.
 */
import { noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killAndRestart, leaderOf, ownerOf, sigkill, stopBeyondLease } from './faults.ts'
import { publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ instances: { coordinator: 2, 'mqtt-ingress': 2, 'kafka-egress': 2 } })
})
afterAll(() => whole[Symbol.asyncDispose]())

type Fault = [name: string, act: () => Promise<void>]

/** What is done to the system, in turn, while the publishers go on. */
function faults(route: string): Fault[] {
  const source = () => ownerOf(whole, 'source', route)
  const sink = () => ownerOf(whole, 'sink', route)
  const leader = () => leaderOf(whole)
  const again: Fault[] = [
    ['SIGKILL mqtt-ingress', async () => sigkill(await source())],
    ['SIGKILL kafka-egress', async () => sigkill(await sink())],
    ['SIGKILL nats-server', () => killAndRestart(whole.nats)],
    ['cut the MQTT connections', async () => whole.mqttProxy.cut()],
    ['SIGKILL the leading coordinator', async () => sigkill(await leader())],
    ['SIGKILL Kafka', () => killAndRestart(whole.kafka)],
  ]
  return [
    ...again,
    ['SIGSTOP mqtt-ingress beyond its lease', async () => stopBeyondLease(await source())],
    ['SIGSTOP kafka-egress beyond its lease', async () => stopBeyondLease(await sink())],
    ...again,
    ['SIGSTOP the leading coordinator', async () => stopBeyondLease(await leader())],
    ['restart mosquitto', () => whole.mosquitto.restart()],
    ...again,
  ]
}

/** Every other fault waits until records arrive again; the one after it hits what has not recovered yet. */
async function inflictAll(route: string, tally: Tally): Promise<string[]> {
  const done: string[] = []
  for (const [name, act] of faults(route)) {
    await act()
    done.push(name)
    await (done.length % 2 === 0 ? tally.arrive(1_000) : tally.acknowledge(1_000))
  }
  return done
}

test('200,000 QoS 1 messages of 50 publishers while everything is killed in turn', { timeout: 600_000 }, async () => {
  await whole.apply(ledgerRoute('ledger'))
  await whole.untilRunning('ledger')
  const tally = new Tally(whole, 'ledger')
  const { url } = whole.mosquitto
  const over = new AbortController()
  const load = { publishers: 50, each: 4_000, until: over.signal, qos: 1, rate: 2_500 } as const
  const [events] = await Promise.all([
    inflictAll('ledger', tally).finally(() => over.abort()),
    publish({ url, root: 'ledger', ...load, ledger: tally.ledger }),
  ])
  await tally.settle()
  print('ledger of 200,000 QoS 1 messages of 50 publishers', [...events, tally])
  const { acknowledged, lost, outOfOrder } = tally.ledger.report()
  expect(acknowledged).toBeGreaterThanOrEqual(200_000)
  expect({ lost, outOfOrder }).toEqual({ lost: [], outOfOrder: [] })
})
