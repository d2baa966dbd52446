import { noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Writer } from '../../../libs/kafka/src/wire.ts'
import { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'
import { putInto } from './fake-log.ts'
import { numbers } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let broker: FakeBroker
beforeAll(async () => {
  broker = await FakeBroker.start({})
})
afterAll(() => broker[Symbol.asyncDispose]())

test.each([
  ['that can not be found now', 'FindCoordinator', 15, 'coordinator_not_available'],
  ['that moves', 'OffsetFetch', 16, 'not_coordinator'],
  ['that a transaction is about to change', 'OffsetFetch', 88, 'unstable_offset_commit'],
  ['that may not be read', 'OffsetFetch', 30, 'group_authorization_failed'],
] as const)(
  'start: committed of a group %s holds the lane, which never begins elsewhere',
  async (_, api, code, told) => {
    await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
    const topic = `committed-${code}`
    broker.createTopic(topic, 1)
    putInto(broker, { topic, values: numbers(1, 10) })
    broker.answers.set('OffsetFetch', (_, to) => tellOffset(to, topic, { error: 0, offset: 4n }))
    broker.answers.set(api, (_, to) => {
      if (api === 'FindCoordinator') to.int32(0).int16(code).string(null).int32(-1).string('').int32(-1)
      else tellOffset(to, topic, { error: code, offset: -1n })
    })
    const run = rig.run({ lane: `${topic}/0`, source: { topics: [topic], start: 'committed', group: 'g' } })
    await run.is(`holding ${told}`)
    expect(await rig.end(`${topic}/0`)).toBeUndefined()
    if (api === 'FindCoordinator') broker.answers.delete(api)
    else broker.answers.set(api, (_, to) => tellOffset(to, topic, { error: 0, offset: 4n }))
    await rig.stored(6, `${topic}/0`)
    expect(await rig.values(`${topic}/0`)).toEqual(numbers(5, 10))
  },
)

test('start: committed of an offset that the log does not have is an alarm', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('gone', 1)
  putInto(broker, { topic: 'gone', values: numbers(1, 10) })
  broker.answers.set('OffsetFetch', (_, to) => tellOffset(to, 'gone', { error: 0, offset: 40n }))
  const run = rig.run({ lane: 'gone/0', source: { topics: ['gone'], start: 'committed', group: 'g' } })
  expect(await run.failure()).toMatchObject({ name: 'AlarmError', code: 'kafka_gap' })
})

test.each([
  ['a lane of ours', 'millrace', ['running group_ours']],
  ['somebody else', 'streams', ['running']],
])('start: committed of an offset that %s has committed says whose it is', async (_, by, told) => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  const topic = `by-${by}`
  broker.createTopic(topic, 1)
  putInto(broker, { topic, values: numbers(1, 10) })
  broker.answers.set('OffsetFetch', (_, to) => tellOffset(to, topic, { error: 0, offset: 4n, by }))
  const run = rig.run({ lane: `${topic}/0`, source: { topics: [topic], start: 'committed', group: 'g' } })
  await rig.stored(6, `${topic}/0`)
  expect(run.told).toEqual(told)
})

/** What a group's coordinator says of its offset: `by`, its metadata. */
interface Told {
  error: number
  offset: bigint
  by?: string
}

/** The answer to OffsetFetch in version 7, about one partition. */
function tellOffset(to: Writer, topic: string, { error, offset, by = '' }: Told): void {
  to.noTags().int32(0).int8(2).compactString(topic).int8(2)
  to.int32(0).int64(offset).int32(-1).compactString(by).int16(error).noTags().noTags().int16(0).noTags()
}
