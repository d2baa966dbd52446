/**
 * What happens when something is full: the lane holds and says so, the broker keeps what is not acknowledged, and it
 * all goes on when there is room. Only QoS 0 is dropped, and counted.
 */
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BesideCalm, startBesideCalm } from './beside-calm.ts'
import { mqtt, route } from './documents.ts'
import {
  arrivedAt,
  balances,
  countOf,
  deadLetters,
  metricOf,
  millrace,
  recordsIn,
  untilProblem,
  untilWell,
} from './observe.ts'

noLeaks()

let beside: BesideCalm
let whole: BesideCalm['whole']
let publisher: BesideCalm['publisher']
beforeAll(async () => {
  beside = await startBesideCalm()
  ;({ whole, publisher } = beside)
  await whole.apply(mqtt('near', whole.mosquitto.url))
})
afterAll(() => beside?.[Symbol.asyncDispose]())

const valuesOf = async (topic: string) => (await whole.kafka.readAll(topic)).map(({ value }) => String(value).trim())
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => String(from + at))
/** A payload of so many bytes that begins with a number. */
const padded = (number: string, bytes: number) => number.padEnd(bytes)

test('a full data stream: QoS 1 waits, QoS 0 is dropped and counted, pings go on', { timeout: 120_000 }, async () => {
  // Its Kafka topic is missing: the sink holds, and the other route's Kafka is as well as ever.
  await whole.apply(route('full', { connection: 'near', buffer: '4MiB', deadLetters: '4MiB' }))
  await untilWell(whole, 'source.full.0')
  for (const n of numbers(0, 400)) await publisher.publishAsync('full/m', padded(n, 20_000), { qos: 1 })
  const message = await untilProblem(whole, 'source.full.0', 'stream_full')
  expect(message).toMatch(/MR_D_full is full .*going on when there is room/)
  const stored = await countOf(whole, 'source.full.0', 'in')
  expect(stored).toBeLessThan(220)
  // Beyond the 10,000 records that a lane may have unstored.
  for (const n of numbers(0, 12_000)) publisher.publish('full/zero', n, { qos: 0 })
  for (const n of numbers(400, 450)) await publisher.publishAsync('full/m', padded(n, 20_000), { qos: 1 })
  await eventually(async () => (await countOf(whole, 'source.full.0', 'dropped')) > 1_000, { what: 'QoS 0 is dropped' })
  // Several keepalives of a second: a broker that heard nothing would end the connection after one and a half.
  const before = Date.now()
  await eventually(() => Date.now() - before > 4_000, { what: 'four keepalives' })
  expect(await untilProblem(whole, 'source.full.0', 'stream_full')).toBe(message)
  const { out } = await millrace(whole.fleet, 'status')
  expect(out).toContain(`full/0 source is holding: ${message}`)
  await whole.kafka.createTopic('full')
  await untilWell(whole, 'source.full.0')
  await untilWell(whole, 'sink.full.0')
  await balances(whole, 'full')
  await eventually(async () => (await valuesOf('full')).length >= 450, { what: 'delivered' })
  const records = await whole.kafka.readAll('full')
  const of = (topic: string) => records.filter(({ headers }) => String(headers['mqtt.topic']) === topic)
  expect(of('full/m').map(({ value }) => String(value).trim())).toEqual(numbers(0, 450))
  const dropped = await countOf(whole, 'source.full.0', 'dropped')
  expect(of('full/zero').length + dropped).toBe(12_000)
  const at = { service: 'mqtt-ingress-1', metric: 'millrace_records_dropped_total', route: 'full' }
  expect(await metricOf(whole, at)).toBe(dropped)
  // Nothing came twice: the connection was the same all the time.
  expect(await countOf(whole, 'source.full.0', 'duplicates')).toBe(0)
})

test.each([
  { role: 'sink', counted: 'dead', name: 'refusing', more: '  filter: record.json.wanted\n', reason: 'expression' },
  { role: 'source', counted: 'refused', name: 'heavy', more: '  maxRecordBytes: 10KiB\n', reason: 'too_large' },
])('a full dead-letter stream holds the $role', async ({ role, counted, name, more, reason }) => {
  const documents = (deadLetters: string) => route(name, { connection: 'near', buffer: '16MiB', deadLetters, more })
  await whole.kafka.createTopic(name)
  await whole.apply(documents('1MiB'))
  await whole.untilRunning(name)
  for (const n of numbers(0, 30)) await publisher.publishAsync(`${name}/m`, padded(n, 100_000), { qos: 1 })
  const wanted = '{"wanted":true}'
  await publisher.publishAsync(`${name}/m`, wanted, { qos: 1 })
  const message = await untilProblem(whole, `${role}.${name}.0`, 'stream_full')
  expect(message).toMatch(new RegExp(`MR_X_${name} has no room .* route ${name} a larger deadLetters.maxBytes`))
  expect(await valuesOf(name)).toEqual([])
  await whole.apply(documents('8MiB'))
  expect((await arrivedAt(whole, { topic: name, count: 1 })).map(({ value }) => String(value))).toEqual([wanted])
  // A sink delivers what passes before it stores what does not: the last of them may still be on their way.
  await eventually(async () => (await countOf(whole, `${role}.${name}.0`, counted)) === 30, { what: 'all counted' })
  const letters = await deadLetters(whole.bus, name)
  const kept = letters.map(letter => String(recordsIn(letter)[0]?.value))
  expect([...new Set(kept)]).toEqual(numbers(0, 30).map(n => padded(n, 100_000)))
  expect(letters.every(letter => letter.reason === reason)).toBe(true)
  await untilWell(whole, `${role}.${name}.0`)
})

test('nothing of it disturbed another route, and no process died', async () => {
  await beside.calm.undisturbed()
  expect(whole.events).toEqual([])
})
