/**
 * `delivery: exactlyOnce` from end to end: what stands in one topic of Kafka's stands in another one once, in order,
 * for readers of committed records, whatever was killed, stopped or cut on the way.
 */
import { Bucket, type LaneName, positionDocument, positionKey, readEnd, recordsBehind } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

const kill = (name: string): Fault => [
  `SIGKILL ${name}`,
  async () => {
    const service = whole.service(name)
    await eventually(() => service.running, { what: `${name} runs again`, timeout: 60_000 })
    sigkill(service)
  },
]
const leader: Fault = ['SIGKILL the leading coordinator', async () => sigkill(await leaderOf(whole))]
const nats: Fault = ['SIGKILL nats-server', () => killAndRestart(whole.nats)]
const kafka: Fault = ['SIGKILL Kafka', () => killAndRestart(whole.kafka)]
const cutNats: Fault = ['cut the connections to NATS', async () => whole.natsProxy?.cut()]
const cutKafka: Fault = ['cut the connections to Kafka', async () => whole.kafka.proxied?.proxy.cut()]
const loseAnswer: Fault = ['lose an answer of Kafka', async () => whole.kafka.proxied?.proxy.dropAnswers()]
const stop = (role: 'source' | 'sink'): Fault => [
  `SIGSTOP the owner of a ${role} beyond its lease`,
  async () => stopBeyondLease(await ownerOf(whole, role, 'copied')),
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

/** R12: of each lane, the records that it held, those that the position says are delivered, and all that are behind it. */
async function balances(): Promise<{ held: number; out: number; behind: number }[]> {
  const positions = new Bucket(whole.bus, 'mr_positions', positionDocument)
  const balance = async (lane: LaneName) => {
    const end = await readEnd(whole.bus, lane)
    const totals = (await positions.read(positionKey({ ...lane, service: 'kafka-egress' })))?.value.totals
    if (end === undefined || totals === undefined) throw new Error(`${lane.lane} has no end, or no position`)
    return { held: end.base + end.count, out: totals.out, behind: recordsBehind(totals) }
  }
  return Promise.all(lanes.map(lane => balance({ service: 'kafka-ingress', route: 'copied', lane })))
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
  const all = acknowledged / partitions
  expect(await balances()).toEqual(lanes.map(() => ({ held: all, out: all, behind: all })))
  expect(placement.wrong).toEqual([])
})
