import { noLeaks } from '@millrace/testkit'
import { expect, test, vi } from 'vitest'
import { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'
import { putInto } from './fake-log.ts'
import { numbers } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

test('a topic was called deleted because its broker was away between two answers that it is missing', async () => {
  await using broker = await FakeBroker.start({ flap: 1 })
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  putInto(broker, { topic: 'flap', values: numbers(1, 3) })
  const run = rig.run({ lane: 'flap/0', source: { topics: ['flap'] } })
  await rig.stored(3, 'flap/0')
  const logs = broker.logs.get('flap') ?? []
  broker.logs.delete('flap')
  broker.cut()
  await run.is('holding topic_missing')
  broker.answers.set('Metadata', () => 'cut')
  await run.is('holding unknown_outcome')
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    vi.advanceTimersByTime(20_000)
    broker.answers.delete('Metadata')
    await run.is('holding topic_missing')
  } finally {
    vi.useRealTimers()
  }
  broker.logs.set('flap', logs)
  putInto(broker, { topic: 'flap', values: numbers(4, 6) })
  await rig.stored(6, 'flap/0')
  expect(await rig.values('flap/0')).toEqual(numbers(1, 6))
})
