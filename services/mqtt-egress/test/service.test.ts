import {
  eventually,
  install,
  type Installation,
  type LaneSource,
  Ledger,
  type Mosquitto,
  noLeaks,
  startMosquitto,
} from '@millrace/testkit'
import { deadLetterStream, streamInfo } from '@millrace/bus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { actorOf, applyRoutes, instanceOf, openSource, Subscriber } from './rig.ts'

noLeaks()

let broker: Mosquitto
let installation: Installation
beforeAll(async () => {
  broker = await startMosquitto()
  installation = await install()
  await applyRoutes(installation, {
    brokerUrl: broker.url,
    sinks: {
      kills: 'topic: kills',
      twice: 'topic: twice, qos: 2',
      letters: 'topic: "t/${record.key}"',
      moved: 'topic: moved',
      early: 'topic: early',
    },
  })
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

const publishers = 4

/** Appends so many numbers of every publisher, in batches. */
async function publish(source: LaneSource, ledger: Ledger, { from, to }: { from: number; to: number }): Promise<void> {
  for (let number = from; number < to; number += 10) {
    const values: string[] = []
    for (let next = number; next < number + 10; next++) {
      for (let publisher = 0; publisher < publishers; publisher++) values.push(`p${publisher}:${next}`)
    }
    await source.append(values)
    for (const value of values) {
      const [publisher = '', number = ''] = value.split(':')
      ledger.acknowledged(publisher, Number(number))
    }
  }
}

/** Waits until the subscriber has every record, then says what the ledger has against it. */
async function delivered(subscriber: Subscriber, ledger: Ledger, count: number) {
  await eventually(() => new Set(subscriber.values).size >= count, { what: `${count} records`, timeout: 60_000 })
  for (const value of subscriber.values) {
    const [publisher = '', number = ''] = value.split(':')
    ledger.delivered(publisher, Number(number))
  }
  return ledger.report()
}

test.each(['kills', 'twice'])(
  'killed again and again (%s), it loses nothing and keeps the order',
  async route => {
    await using subscriber = await Subscriber.open(broker.url, route)
    const source = await openSource(installation, route)
    const ledger = new Ledger()
    await using instance = instanceOf(installation, route)
    const total = 2_000
    for (let round = 0; round < 4; round++) {
      if (round > 0) instance.restart()
      await instance.assign(actorOf(route, round + 1))
      await publish(source, ledger, { from: (round * total) / 4, to: ((round + 1) * total) / 4 })
      if (round < 3) await instance.kill('SIGKILL')
    }
    const report = await delivered(subscriber, ledger, publishers * total)
    expect(report).toMatchObject({ acknowledged: publishers * total, lost: [], outOfOrder: [] })
    await instance.kill('SIGTERM')
    expect(instance.exitCode).toBe(0)
  },
  180_000,
)

test('what has no topic becomes dead letters, the rest goes on in order', { timeout: 120_000 }, async () => {
  await using subscriber = await Subscriber.open(broker.url, 't/#')
  const source = await openSource(installation, 'letters')
  await source.append(['a:0', '#:1', 'a:2', 'a+b:3', 'b:4', { value: Buffer.from('null key') }])
  await using instance = instanceOf(installation, 'letters')
  await instance.assign(actorOf('letters', 1))
  const letters = async () => (await streamInfo(installation.coordinator, deadLetterStream('letters')))?.state.messages
  await eventually(async () => (await letters()) === 3, { what: 'three dead letters', timeout: 60_000 })
  await eventually(() => subscriber.packets.length === 3, { what: 'the others' })
  expect(subscriber.packets.map(({ topic, payload }) => `${topic} ${String(payload)}`)).toEqual([
    't/a a:0',
    't/a a:2',
    't/b b:4',
  ])
})

test('a lane given away while its owner is stopped: the old one is shut out, and asks before it connects again', {
  timeout: 180_000,
}, async () => {
  await using subscriber = await Subscriber.open(broker.url, 'moved')
  const source = await openSource(installation, 'moved')
  const ledger = new Ledger()
  await using first = instanceOf(installation, 'first')
  await first.assign(actorOf('moved', 1))
  await publish(source, ledger, { from: 0, to: 200 })
  await first.state('sink.moved.in/0', 'running')
  await first.kill('SIGSTOP')
  await publish(source, ledger, { from: 200, to: 400 })
  await using second = instanceOf(installation, 'second')
  await second.assign(actorOf('moved', 2))
  await second.state('sink.moved.in/0', 'running')
  await publish(source, ledger, { from: 400, to: 600 })
  await first.kill('SIGCONT')
  await publish(source, ledger, { from: 600, to: 800 })
  const report = await delivered(subscriber, ledger, publishers * 800)
  expect(report).toMatchObject({ acknowledged: publishers * 800, lost: [], outOfOrder: [] })
})

test('a broker that is down at the start, and dies when nothing is to be delivered: the lane holds, and delivers later', {
  timeout: 180_000,
}, async () => {
  await using subscriber = await Subscriber.open(broker.url, 'early')
  const source = await openSource(installation, 'early')
  await source.append(['a:0', 'a:1'])
  await broker.kill('SIGTERM')
  await using instance = instanceOf(installation, 'early')
  await instance.assign(actorOf('early', 1))
  await instance.state('sink.early.in/0', 'holding', 'broker_unreachable')
  await broker.restart()
  await instance.state('sink.early.in/0', 'running')
  await source.append(['a:2'])
  await eventually(() => subscriber.values.includes('a:2'), { what: 'what came later', timeout: 60_000 })
  await broker.kill('SIGTERM')
  await instance.state('sink.early.in/0', 'holding', 'broker_unreachable')
  await broker.restart()
  await instance.state('sink.early.in/0', 'running')
  await broker.kill('SIGTERM')
  await source.append(['a:3'])
  await instance.state('sink.early.in/0', 'holding', 'broker_unreachable')
  await broker.restart()
  await eventually(() => subscriber.values.includes('a:3'), { what: 'what waited', timeout: 60_000 })
  expect([...new Set(subscriber.values)]).toEqual(['a:0', 'a:1', 'a:2', 'a:3'])
})
