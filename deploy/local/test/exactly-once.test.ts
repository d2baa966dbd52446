/**
 * `delivery: exactlyOnce` from end to end: what stands in one topic of Kafka's stands in another one once, in order,
 * for readers of committed records, whatever was killed, stopped or cut on the way.
 */
import { Bucket, type LaneName, positionDocument, positionKey, readEnd } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Kept } from '../up/keep.ts'
import { killAndRestart, leaderOf, ownerOf, sigkill, stopBeyondLease } from './faults.ts'
import { Placement } from './placement.ts'
import { produce } from './producing.ts'
import { print, Tally } from './tally.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

const partitions = 4
const lanes = Array.from({ length: partitions }, (_, partition) => `original/${partition}`)
const instances = { coordinator: 2, 'mqtt-ingress': 0, 'kafka-ingress': 2, 'kafka-egress': 2 }

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ instances, proxied: true })
})
afterAll(() => whole[Symbol.asyncDispose]())

type Fault = [name: string, act: () => Promise<void>]

/** A service whose process is there: it may just be started again. */
async function running(service: Kept): Promise<Kept> {
  await eventually(() => service.running, { what: `${service.name} runs again`, timeout: 60_000 })
  return service
}

const kill = (name: string): Fault => [`SIGKILL ${name}`, async () => sigkill(await running(whole.service(name)))]
const leader: Fault = ['SIGKILL the leading coordinator', async () => sigkill(await running(await leaderOf(whole)))]
const nats: Fault = ['SIGKILL nats-server', () => killAndRestart(whole.nats)]
const kafka: Fault = ['SIGKILL Kafka', () => killAndRestart(whole.kafka)]
const cutNats: Fault = ['cut the connections to NATS', async () => whole.natsProxy?.cut()]
const cutKafka: Fault = ['cut the connections to Kafka', async () => whole.kafka.proxied?.proxy.cut()]
const loseAnswer: Fault = ['lose an answer of Kafka', async () => whole.kafka.proxied?.proxy.dropAnswers()]
const stop = (role: 'source' | 'sink'): Fault => [
  `SIGSTOP the owner of a ${role} beyond its lease`,
  async () => stopBeyondLease(await running(await ownerOf(whole, role, 'copied'))),
]

/** In turn; what stands together, at once. */
const round: Fault[][] = [
  [kill('kafka-egress-1')],
  [kill('kafka-ingress-1')],
  [cutKafka],
  [kill('kafka-egress-2')],
  [nats],
  [kill('kafka-ingress-2')],
  [loseAnswer],
  [kill('kafka-egress-1'), kafka],
  [cutNats],
  [leader, kill('kafka-egress-2')],
  [nats, kill('kafka-ingress-1')],
]
const faults = [...round, [stop('source'), stop('sink')], ...round]

/** Hurts it, each time when more has arrived. */
async function inflictAll(tally: Tally): Promise<void> {
  for (const together of faults) {
    await Promise.all(together.map(([, act]) => act()))
    await tally.arrive(200)
  }
}

/** What a topic holds, partition by partition, but for offsets and for the header that names the path. */
async function contentOf(topic: string): Promise<string[]> {
  const records = await whole.kafka.readAll(topic)
  return records.map(
    ({ partition, key, value, timestamp }) => `${partition} ${String(key)} ${String(value)} ${timestamp}`,
  )
}

/** R12: waits until of each lane so many records were held, are delivered, and are behind its position. */
async function balances(records: number): Promise<void> {
  const positions = new Bucket(whole.bus, 'mr_positions', positionDocument)
  const balance = async (lane: LaneName) => {
    const end = await readEnd(whole.bus, lane)
    const totals = (await positions.read(positionKey({ ...lane, service: 'kafka-egress' })))?.value.totals
    expect(end === undefined ? end : end.base + end.count, `records held in ${lane.lane}`).toBe(records)
    expect(totals, `totals of ${lane.lane}`).toEqual({ out: records, dead: 0, filtered: 0, parked: 0 })
    return true
  }
  const all = () => Promise.all(lanes.map(lane => balance({ service: 'kafka-ingress', route: 'copied', lane })))
  await eventually(all, { what: 'in = out of every lane' })
}

test('Kafka to Kafka: each record once, in order, while everything on the way is killed, stopped and cut', {
  timeout: 400_000,
}, async () => {
  await whole.kafka.createTopic('original', partitions)
  await whole.kafka.createTopic('copied', partitions)
  await whole.apply(`
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: copied }
spec:
  source: { connection: lake, topics: [original] }
  sink: { connection: lake, topic: copied, partition: '\${source.partition}' }
  delivery: exactlyOnce
`)
  await whole.untilRunning('copied')
  const over = new AbortController()
  const actors = lanes.flatMap(lane => [`source.copied.${lane}`, `sink.copied.${lane}`])
  const placement = new Placement(whole, actors, over.signal)
  const tally = new Tally(whole, 'copied')
  const load = { brokers: whole.kafka.brokers, topic: 'original', partitions, rate: 1_000, ledger: tally.ledger }
  await Promise.all([inflictAll(tally).finally(() => over.abort()), produce({ ...load, until: over.signal })])
  await tally.settle()

  const names = faults.flat().map(([name]) => name)
  const kills = names.filter(name => name.startsWith('SIGKILL')).length
  print(`ledger of Kafka to Kafka, exactly once, with ${kills} kills`, [...names, tally])
  const { acknowledged, lost, outOfOrder, duplicates } = tally.ledger.report()
  expect({ lost, outOfOrder, duplicates }).toEqual({ lost: [], outOfOrder: [], duplicates: 0 })
  expect(await contentOf('copied')).toEqual(await contentOf('original'))
  await balances(acknowledged / partitions)
  expect(placement.wrong).toEqual([])
})
