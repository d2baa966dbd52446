/** How much a source asks its broker for at a time, and for how long, by what a scripted broker is asked. */
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'
import { putInto } from './fake-log.ts'
import { numbers } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let broker: FakeBroker
let rig: Rig
beforeAll(async () => {
  broker = await FakeBroker.start({})
  rig = await Rig.start(`127.0.0.1:${broker.port}`)
})
afterAll(async () => {
  await rig[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

/** Answers the first Fetch with ten records, the second with none, and the others never; says what was asked for. */
function answerTwo(topic: string): { wait: number; bytes: number }[] {
  broker.createTopic(topic, 1)
  putInto(broker, { topic, values: numbers(1, 10), leaderEpoch: undefined })
  const batches = broker.logs.get(topic)?.[0]?.batches ?? []
  const asked: { wait: number; bytes: number }[] = []
  broker.answers.set('Fetch', (from, to) => {
    from.int32()
    const wait = from.int32()
    from.int32()
    asked.push({ wait, bytes: from.int32() })
    if (asked.length > 2) return 'silent'
    const records = asked.length === 1 ? Buffer.concat(batches) : Buffer.alloc(0)
    to.int32(0).int16(0).int32(0)
    to.array([topic], name => {
      to.string(name).array([0], id => {
        to.int32(id).int16(0).int64(10n).int64(10n).int64(0n).int32(-1).int32(-1).bytes(records)
      })
    })
    return undefined
  })
  return asked
}

test('A partition that is silent is asked for little; for long as well, once the group has nothing to be told', async () => {
  const asked = answerTwo('silent')
  const run = rig.run({ lane: 'silent/0', source: { topics: ['silent'] } })
  await eventually(() => asked.length === 3, { what: 'three Fetches', timeout: 30_000 })
  expect(asked).toEqual([
    { wait: 5_000, bytes: 65_536 },
    { wait: 500, bytes: 983_040 },
    { wait: 500, bytes: 65_536 },
  ])
  await rig.stored(10, 'silent/0')
  await run.abort()
  expect(run.budget.held).toBe(0)
})

test('While a process holds all that it may, each of its partitions is asked for little', async () => {
  const asked = answerTwo('spent')
  const run = rig.run({ lane: 'spent/0', source: { topics: ['spent'] } })
  using others = run.budget.hold(96 * 2 ** 20)
  await eventually(() => asked.length === 3, { what: 'three Fetches', timeout: 30_000 })
  expect(asked[1]).toEqual({ wait: 500, bytes: 65_536 })
  await rig.stored(10, 'spent/0')
  await run.abort()
  expect(run.budget.held).toBe(others.bytes)
})
