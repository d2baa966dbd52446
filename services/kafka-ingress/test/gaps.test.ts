import { type ActorRun, eventually, type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

/** What happens to the log between two owners of its lane, and what the second one reads on a route that goes on. */
const gaps = [
  {
    what: 'expired',
    happens: async (topic: string) => {
      await producing.send(topic, numbers(11, 30))
      await producing.deleteBelow(topic, 15)
      await producing.send(topic, numbers(31, 40))
    },
    message: /begins at offset 15; offsets 10 to 14 were deleted/,
    // The batch of 11 to 30 is there still, and is read from 16 on.
    rest: numbers(16, 40),
    skipped: 5,
  },
  {
    what: 'deleted and made anew, longer than it was',
    happens: async (topic: string) => {
      await makeAnew(topic)
      await producing.send(topic, numbers(101, 150))
    },
    message: /deleted and made anew; what the old one held from offset 10 on is gone/,
    rest: numbers(101, 150),
    skipped: 0,
  },
]

async function makeAnew(topic: string): Promise<void> {
  await kafka.deleteTopic(topic)
  const again = async () => {
    await kafka.createTopic(topic)
    return true
  }
  await eventually(again, { what: 'the topic is deleted', timeout: 30_000, interval: 100 })
}

/** Ten records are in the lane; then nobody reads. */
async function tenRead(rig: Rig, topic: string): Promise<void> {
  await kafka.createTopic(topic)
  await producing.send(topic, numbers(1, 10))
  const run = rig.run(reading(topic))
  await rig.stored(10, `${topic}/0`)
  await run.abort()
}

function reading(topic: string, source: object = {}) {
  return { lane: `${topic}/0`, source: { topics: [topic], ...source } }
}

async function alarm(run: ActorRun): Promise<string> {
  const error = await run.failure()
  expect(error).toMatchObject({ name: 'AlarmError', code: 'kafka_gap' })
  return error.message
}

describe.each(gaps)('a topic that was $what', ({ what, happens, message, rest, skipped }) => {
  const topic = what.replaceAll(/\W/g, '')

  test('stops the lane', async () => {
    await using rig = await Rig.start(kafka.brokers[0] ?? '')
    await tenRead(rig, `${topic}-stop`)
    await happens(`${topic}-stop`)
    expect(await alarm(rig.run(reading(`${topic}-stop`)))).toMatch(message)
    expect(await rig.values(`${topic}-stop/0`)).toEqual(numbers(1, 10))
  })

  test('is told, counted, and gone on with where the route says so', async () => {
    await using rig = await Rig.start(kafka.brokers[0] ?? '')
    await tenRead(rig, `${topic}-on`)
    await happens(`${topic}-on`)
    const run = rig.run(reading(`${topic}-on`, { onGap: 'earliest' }))
    await rig.stored(10 + rest.length, `${topic}-on/0`)
    expect(await rig.values(`${topic}-on/0`)).toEqual([...numbers(1, 10), ...rest])
    expect(run.told).toContain('running kafka_gap')
    expect(run.messages.join()).toMatch(message)
    expect(run.counts).toMatchObject({ skipped, gaps: 1 })
  })
})

test('records that expire while their lane has no room are missed in silence by nobody', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('slow')
  await producing.send('slow', numbers(1, 10))
  const run = rig.run(reading('slow'))
  await rig.stored(10, 'slow/0')
  await rig.nats.kill()
  // What is read is not stored: it is read again by the next owner, or not at all.
  await producing.send('slow', numbers(11, 20))
  await eventually(() => run.counts.pending > 0, { what: 'records that wait' })
  await run.abort()
  await producing.deleteBelow('slow', 20)
  await rig.nats.restart()
  expect(await alarm(rig.run(reading('slow')))).toMatch(/offsets 10 to 19 were deleted/)
})

test('an offset to start from that the log does not have is an alarm', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('begin')
  const run = rig.run(reading('begin', { start: { offsets: { begin: { 0: '7' } } } }))
  expect(await alarm(run)).toMatch(/ends at offset 0, and the lane goes on at 7/)
})

test('a topic that is deleted while it is read holds the lane, and is an alarm once it stays away', async () => {
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  await kafka.createTopic('away')
  await producing.send('away', numbers(1, 10))
  const run = rig.run(reading('away'))
  await rig.stored(10, 'away/0')
  await kafka.deleteTopic('away')
  await run.is('holding topic_missing')
  expect(await alarm(run)).toMatch(/read up to offset 10, and is deleted/)
})
