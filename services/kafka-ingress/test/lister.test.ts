import { type ActorRun, eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { numbers, Producing } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let kafka: Kafka
let producing: Producing
beforeAll(async () => {
  kafka = await startKafka()
  producing = new Producing(kafka.brokers)
})
afterAll(() => kafka[Symbol.asyncDispose]())

/** Waits for what a lister tells. */
async function listed(run: ActorRun): Promise<string[]> {
  return await eventually(() => run.lanes && [...run.lanes].sort(), { what: 'a listing', timeout: 30_000 })
}

test('names and patterns become a lane a partition, and nothing of Kafka’s own', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('orders', 2)
  await kafka.createTopic('orders.dead')
  await kafka.createTopic('border')
  // Kafka makes its own topic for groups.
  await eventually(() => producing.groupOffset('any', 'orders'), { what: 'a coordinator', timeout: 30_000 })
  const named = rig.list({ source: { topics: ['orders'] } })
  expect(await listed(named)).toEqual(['orders/0', 'orders/1'])
  await named.is('running')
  expect(await listed(rig.list({ source: { topics: ['/orders.*/', 'border'] } }))).toEqual([
    'border/0',
    'orders.dead/0',
    'orders/0',
    'orders/1',
  ])
})

test('a topic that is missing is told; the others are listed, and it is too once it is there', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('there')
  const run = rig.list({ source: { topics: ['there', 'later'] } })
  await run.is('holding topic_missing')
  expect(run.lanes).toEqual(['there/0'])
  expect(run.messages.at(-1)).toMatch(/^later: no such topic/)
  await kafka.createTopic('later')
  await run.is('running')
  expect(await listed(run)).toEqual(['later/0', 'there/0'])
})

test('what starts at latest does so where the route began; a partition that came later begins with its first record', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('grows', 1)
  await producing.send('grows', numbers(1, 10))
  const options = { source: { topics: ['grows'], start: 'latest' } }
  const first = rig.list(options)
  expect(await listed(first)).toEqual(['grows/0'])
  await rig.run({ ...options, lane: 'grows/0' }).is('running')
  await first.drain()
  await rig.keep(['grows/0'])
  // A partition is made and written to while nobody lists.
  await producing.addPartitions('grows', 2)
  await producing.send('grows', numbers(11, 20), 1)
  expect(await listed(rig.list(options))).toEqual(['grows/0', 'grows/1'])
  rig.run({ ...options, lane: 'grows/1' })
  await rig.stored(10, 'grows/1')
  await producing.send('grows', numbers(21, 30))
  await rig.stored(10, 'grows/0')
  expect(await rig.values('grows/1')).toEqual(numbers(11, 20))
  expect(await rig.values('grows/0')).toEqual(numbers(21, 30))
})

test('before any listing was kept, all that is found is there from the beginning', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('begins')
  await producing.send('begins', numbers(1, 10))
  const options = { source: { topics: ['begins'], start: 'latest' }, lane: 'begins/0' }
  // The first lister is gone before the coordinator has heard of it.
  await listed(rig.list(options))
  await listed(rig.list(options))
  await rig.run(options).is('running')
  await producing.send('begins', numbers(11, 20))
  await rig.stored(10, 'begins/0')
  expect(await rig.values('begins/0')).toEqual(numbers(11, 20))
})

test('a topic that was missing when the route began starts with its first record, though another lister finds it', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const options = { source: { topics: ['missing'], start: 'latest' }, lane: 'missing/0' }
  const first = rig.list(options)
  await first.is('holding topic_missing')
  expect(first.lanes).toEqual([])
  await first.drain()
  await rig.keep([])
  await kafka.createTopic('missing')
  await producing.send('missing', numbers(1, 10))
  await listed(rig.list(options))
  rig.run(options)
  await rig.stored(10, 'missing/0')
  expect(await rig.values('missing/0')).toEqual(numbers(1, 10))
})

test('a topic that a route names only later begins as the route says; one that was made for a pattern, with its first record', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('late-named')
  await kafka.createTopic('pattern-made')
  await producing.send('late-named', numbers(1, 10))
  await producing.send('pattern-made', numbers(1, 10))
  // The route read what is called like that, and nothing was.
  await rig.keep([], ['/pattern-.*/'])
  const options = { source: { topics: ['/pattern-m.*/', 'late-named'], start: 'latest' } }
  expect(await listed(rig.list(options))).toEqual(['late-named/0', 'pattern-made/0'])
  await rig.run({ ...options, lane: 'late-named/0' }).is('running')
  rig.run({ ...options, lane: 'pattern-made/0' })
  await rig.stored(10, 'pattern-made/0')
  await producing.send('late-named', numbers(11, 20))
  await rig.stored(10, 'late-named/0')
  expect(await rig.values('late-named/0')).toEqual(numbers(11, 20))
})

test('Kafka away holds the lister', async () => {
  await using rig = await Rig.start('127.0.0.1:1')
  const run = rig.list()
  await run.is('holding broker_unreachable')
  expect(run.lanes).toBeUndefined()
  await run.drain()
})
