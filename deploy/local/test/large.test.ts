/** Records of 5 MB: several messages each on the bus, one record at both ends, byte for byte. */
import { readEnd } from '@millrace/bus'
import type { Record } from '@millrace/record'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killAndRestart, ownerOf, sigkill } from './faults.ts'
import { deadLetters, recordsIn } from './observe.ts'
import { numberOf, publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole()
})
afterAll(() => whole[Symbol.asyncDispose]())

const LARGE = 5_000_000

/** Waits until some parts of a record are stored, and others not yet. */
async function untilHalfStored(route: string): Promise<void> {
  const half = async () => {
    const end = await readEnd(whole.bus, { service: 'mqtt-ingress', route, lane: '0' })
    const [part, parts] = (end?.part ?? '1/1').split('/')
    return part !== parts
  }
  await eventually(half, { what: 'a record is half stored', interval: 1, timeout: 30_000 })
}

test('records of 5 MB, with everything killed that they pass through', { timeout: 300_000 }, async () => {
  const createTopic = "config: { max.message.bytes: '8000000' }"
  await whole.apply(ledgerRoute('large', { createTopic, sink: 'batch: { maxBytes: 6MiB }' }))
  await whole.untilRunning('large')
  const tally = new Tally(whole, 'large')
  const over = new AbortController()
  const killAll = async () => {
    for (let round = 0; round < 2; round += 1) {
      const [source, sink] = [await ownerOf(whole, 'source', 'large'), await ownerOf(whole, 'sink', 'large')]
      await untilHalfStored('large')
      sigkill(source)
      await tally.arrive(4)
      sigkill(sink)
      await tally.acknowledge(2)
      await untilHalfStored('large')
      await killAndRestart(whole.nats)
      await tally.arrive(4)
    }
  }
  const load = { publishers: 3, each: 15, until: over.signal, qos: 1, rate: 6, bytes: () => LARGE } as const
  await Promise.all([
    killAll().finally(() => over.abort()),
    publish({ url: whole.mosquitto.url, root: 'large', ...load, ledger: tally.ledger }),
  ])
  await tally.settle()
  print('ledger of records of 5 MB, with mqtt-ingress, kafka-egress and nats-server killed twice each', [tally])
  const { lost, outOfOrder } = tally.ledger.report()
  expect({ lost, outOfOrder }).toEqual({ lost: [], outOfOrder: [] })
})

/** What a record in a dead letter was, checked byte for byte. */
function published({ value, headers }: Record): { publisher: string; number: number } {
  const topic = headers.find(([name]) => name === 'mqtt.topic')?.[1]
  const [, publisher = ''] = String(topic).split('/')
  return { publisher, number: numberOf(publisher, value ?? Buffer.alloc(0)) }
}

test('records larger than Kafka takes become dead letters, whole; the others pass in order', async () => {
  await whole.apply(ledgerRoute('narrow'))
  await whole.untilRunning('narrow')
  const tally = new Tally(whole, 'narrow')
  const isLarge = (number: number) => number % 50 === 25
  const load = { publishers: 3, each: 100, qos: 1, rate: 100 } as const
  const bytes = (number: number) => (isLarge(number) ? LARGE : 0)
  await publish({ url: whole.mosquitto.url, root: 'narrow', ...load, bytes, ledger: tally.ledger })
  await tally.settle({ elsewhere: 6 })
  const letters = await deadLetters(whole.bus, 'narrow')
  const dead = letters.flatMap(recordsIn).map(published)
  print('ledger of a topic that takes 1 MB, with records of 5 MB among small ones', [tally, `dead: ${dead.length}`])
  const { lost, outOfOrder } = tally.ledger.report()
  expect(outOfOrder).toEqual([])
  expect(lost.filter(({ number }) => !isLarge(number))).toEqual([])
  expect(letters.map(({ reason, service }) => `${service} ${reason}`)).toEqual(Array(6).fill('kafka-egress too_large'))
  expect(new Set(dead.map(each => JSON.stringify(each)))).toEqual(new Set(lost.map(each => JSON.stringify(each))))
})
