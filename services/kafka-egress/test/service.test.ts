import {
  eventually,
  install,
  type Installation,
  type Kafka,
  type LaneSource,
  Ledger,
  noLeaks,
  startKafka,
} from '@millrace/testkit'
import { deadLetterStream, streamInfo } from '@millrace/bus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { actorOf, applyRoutes, instanceOf, openSource } from './service-rig.ts'

noLeaks()

let kafka: Kafka
let installation: Installation
beforeAll(async () => {
  kafka = await startKafka()
  installation = await install()
  await applyRoutes(installation, kafka.brokers.join(), {
    kills: 'topic: kills',
    missing: 'topic: missing',
    letters: 'topic: "t-${record.key}"',
    moved: 'topic: moved',
    early: 'topic: early',
    lingers: 'topic: lingers, batch: { linger: 2m, maxRecords: 4 }',
  })
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

const publishers = 4
const key = (publisher: string, number: number) => `${publisher}:${number}`

/** Appends so many numbers of every publisher, in batches. */
async function publish(source: LaneSource, ledger: Ledger, { from, to }: { from: number; to: number }): Promise<void> {
  for (let number = from; number < to; number += 10) {
    const values: string[] = []
    for (let next = number; next < number + 10; next++) {
      for (let publisher = 0; publisher < publishers; publisher++) values.push(key(`p${publisher}`, next))
    }
    await source.append(values)
    for (const value of values) {
      const [publisher = '', number = ''] = value.split(':')
      ledger.acknowledged(publisher, Number(number))
    }
  }
}

/** Waits until the topic has every record, then says what the ledger has against it. */
async function delivered(topic: string, ledger: Ledger, count: number) {
  const distinct = async () => new Set((await kafka.readAll(topic)).map(({ value }) => String(value))).size
  await eventually(async () => (await distinct()) >= count, {
    what: `${count} records`,
    timeout: 60_000,
    interval: 200,
  })
  for (const { value } of await kafka.readAll(topic)) {
    const [publisher = '', number = ''] = String(value).split(':')
    ledger.delivered(publisher, Number(number))
  }
  return ledger.report()
}

test('killed again and again, it loses nothing and keeps the order', { timeout: 180_000 }, async () => {
  await kafka.createTopic('kills', 3)
  const source = await openSource(installation, 'kills')
  const ledger = new Ledger()
  await using instance = instanceOf(installation, 'kills')
  const total = 2_000
  for (let round = 0; round < 4; round++) {
    if (round > 0) instance.restart()
    await instance.assign(actorOf('kills', round + 1))
    await publish(source, ledger, { from: (round * total) / 4, to: ((round + 1) * total) / 4 })
    if (round < 3) await instance.kill('SIGKILL')
  }
  const report = await delivered('kills', ledger, publishers * total)
  expect(report).toMatchObject({ acknowledged: publishers * total, lost: [], outOfOrder: [] })
  await instance.kill('SIGTERM')
  expect(instance.exitCode).toBe(0)
})

test('a missing topic holds the lane, says so, and goes on when it is there', { timeout: 120_000 }, async () => {
  const source = await openSource(installation, 'missing')
  await source.append(['a:0', 'a:1'])
  await using instance = instanceOf(installation, 'missing')
  await instance.assign(actorOf('missing', 1))
  await instance.state('sink.missing.0', 'holding', 'topic_missing')
  await kafka.createTopic('missing')
  await instance.state('sink.missing.0', 'running')
  expect((await kafka.readAll('missing')).map(({ value }) => String(value))).toEqual(['a:0', 'a:1'])
})

test('what can’t be placed becomes dead letters, the rest goes on', { timeout: 120_000 }, async () => {
  await kafka.createTopic('t-a')
  const source = await openSource(installation, 'letters')
  await source.append(['a:0', 'nowhere:1', 'a:2', 'no topic:3', 'a:4'])
  await using instance = instanceOf(installation, 'letters')
  await instance.assign(actorOf('letters', 1))
  const letters = async () => (await streamInfo(installation.coordinator, deadLetterStream('letters')))?.state.messages
  await eventually(async () => (await letters()) === 2, { what: 'two dead letters', timeout: 30_000 })
  expect((await kafka.readAll('t-a')).map(({ value }) => String(value))).toEqual(['a:0', 'a:2', 'a:4'])
})

test('with a linger, what is enough goes out at once, and the rest when the instance is told to end', {
  timeout: 100_000,
}, async () => {
  await kafka.createTopic('lingers')
  const source = await openSource(installation, 'lingers')
  await using instance = instanceOf(installation, 'lingers')
  await instance.assign(actorOf('lingers', 1))
  const waiting = async (records: number) => {
    const counts = async () => (await instance.heartbeat())?.actors.map(({ counts }) => counts?.pending).join()
    await eventually(async () => (await counts()) === String(records), { what: `${records} waiting`, timeout: 30_000 })
  }
  const values = async () => (await kafka.readAll('lingers')).map(({ value }) => String(value)).join()
  await source.append(['a:0', 'a:1'])
  await waiting(2)
  expect(await values()).toBe('')
  await source.append(['a:2', 'a:3'])
  await eventually(async () => (await values()) === 'a:0,a:1,a:2,a:3', { what: 'four records', timeout: 30_000 })
  await source.append(['a:4'])
  await waiting(1)
  await instance.kill('SIGTERM')
  expect(instance.exitCode).toBe(0)
  expect(await values()).toBe('a:0,a:1,a:2,a:3,a:4')
})

test('a lane given away while its owner is stopped: the old one writes nothing more', {
  timeout: 180_000,
}, async () => {
  await kafka.createTopic('moved', 2)
  const source = await openSource(installation, 'moved')
  const ledger = new Ledger()
  await using first = instanceOf(installation, 'first')
  await first.assign(actorOf('moved', 1))
  await publish(source, ledger, { from: 0, to: 200 })
  await first.state('sink.moved.0', 'running')
  await first.kill('SIGSTOP')
  await publish(source, ledger, { from: 200, to: 400 })
  await using second = instanceOf(installation, 'second')
  await second.assign(actorOf('moved', 2))
  await second.state('sink.moved.0', 'running')
  await publish(source, ledger, { from: 400, to: 600 })
  await first.kill('SIGCONT')
  await publish(source, ledger, { from: 600, to: 800 })
  const report = await delivered('moved', ledger, publishers * 800)
  expect(report).toMatchObject({ acknowledged: publishers * 800, lost: [], outOfOrder: [] })
})

test('Kafka down at the start: the lane holds, and delivers when it is there', { timeout: 180_000 }, async () => {
  await kafka.createTopic('early')
  const source = await openSource(installation, 'early')
  await source.append(['a:0', 'a:1'])
  await kafka.kill()
  await using instance = instanceOf(installation, 'early')
  await instance.assign(actorOf('early', 1))
  await instance.state('sink.early.0', 'holding', 'broker_unreachable')
  await kafka.restart()
  await instance.state('sink.early.0', 'running')
  const values = async () => (await kafka.readAll('early')).map(({ value }) => String(value)).join()
  expect(await eventually(async () => (await values()) === 'a:0,a:1', { what: 'both records' })).toBe(true)
})
