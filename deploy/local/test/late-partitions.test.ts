/** A route that starts at the end of its topics, and topics that come later: of those, from their first record on. */
import { Bucket, routesDocument } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownerOf, sigkill } from './faults.ts'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ instances: { 'mqtt-ingress': 0, 'kafka-ingress': 2, 'kafka-egress': 1 } })
})
afterAll(() => whole[Symbol.asyncDispose]())

const route = `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: late }
spec:
  source: { connection: lake, topics: [early, later], start: latest }
  sink: { connection: lake, topic: all }
  delivery: exactlyOnce
`

const values = (name: string, count: number) => Array.from({ length: count }, (_, number) => `${name} ${number}`)
const produce = (topic: string, lines: string[]) =>
  whole.kafka.consoleProducer(
    topic,
    lines.map(value => ({ key: 'k', value, headers: 'h:1' })),
  )

test('a topic that comes after a route that starts at latest arrives whole, though its lister is killed', {
  timeout: 120_000,
}, async () => {
  for (const topic of ['early', 'all']) await whole.kafka.createTopic(topic)
  await produce('early', values('before', 10))
  await whole.apply(route)
  const routes = new Bucket(whole.bus, 'mr_routes', routesDocument)
  const kept = async () => (await routes.read('current'))?.value.routes['late']?.lanes?.includes('early/0')
  await eventually(kept, { what: 'what is there is kept', timeout: 30_000 })
  await whole.untilRunning('late')
  sigkill(await ownerOf(whole, 'lister', 'late'))
  await whole.kafka.createTopic('later')
  await produce('later', values('later', 10))
  await produce('early', values('early', 10))
  const arrived = async () => (await whole.kafka.readAll('all')).map(({ value }) => String(value))
  await eventually(async () => (await arrived()).length >= 20, { what: '20 records', timeout: 60_000 })
  const all = await arrived()
  expect(all.filter(value => value.startsWith('later'))).toEqual(values('later', 10))
  expect(all.filter(value => !value.startsWith('later'))).toEqual(values('early', 10))
})
