/** A topic that is made anew with fewer partitions, while records wait for those that are gone. */
import { noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { partitionOfKey } from '../src/partitioner.ts'
import { FakeBroker } from './fake-broker.ts'
import { addAll, openProducer, record, scripted } from './rig.ts'

noLeaks()

const partitionOf = (key: string, count: number) => partitionOfKey(Buffer.from(key), 0, key.length, count)
const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

test('records of default partitioning that were never sent are placed again, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(null, ...keys), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      async (some, count) => {
        await using broker = await FakeBroker.start({ t: 6 })
        await using rig = await openProducer(broker.port, { maxBatchBytes: 150 })
        broker.logs.delete('t')
        for (const [index, key] of some.entries()) rig.producer.add('t', record(`${index}`, key), { index })
        expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'topic_missing' } })
        broker.createTopic('t', count)
        expect(await rig.producer.deliver()).toEqual({ is: 'done' })
        const stored = Array.from({ length: count }, (_, partition) => broker.values('t', partition).map(Number))
        expect(stored.flat().toSorted((a, b) => a - b)).toEqual([...some.keys()])
        for (const [partition, indexes] of stored.entries()) {
          expect(indexes).toEqual(indexes.toSorted((a, b) => a - b))
          const keyed = indexes.flatMap(index => some[index] ?? [])
          expect(keyed.every(key => partitionOf(key, count) === partition)).toBe(true)
        }
      },
    ),
    { numRuns: 40 },
  )
})

test('records that name a partition which is gone are refused, the others keep theirs', async () => {
  await using broker = await FakeBroker.start({ t: 3 })
  await using rig = await openProducer(broker.port)
  broker.logs.delete('t')
  for (const partition of [0, 1, 2]) {
    rig.producer.add('t', record(`to ${partition}`), { index: partition, partition })
  }
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold' })
  broker.createTopic('t', 2)
  const outcome = await rig.producer.deliver()
  expect(outcome).toMatchObject({ is: 'refused', refusals: [{ index: 2, code: 'no_partition' }] })
  expect([broker.values('t', 0), broker.values('t', 1)]).toEqual([['to 0'], ['to 1']])
})

test('what was sent and not answered goes nowhere else, nor what is behind it: it says what to do (R6)', async () => {
  await using broker = await FakeBroker.start({ t: 2 })
  await using rig = await openProducer(broker.port, { maxBatchBytes: 110 })
  const key = keys.find(name => partitionOf(name, 2) === 1) ?? ''
  broker.script = scripted('append')
  for (const [index, value] of ['sent', 'sent too', 'behind it'].entries()) {
    rig.producer.add('t', record(value, key), { index })
  }
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  const [, log] = broker.logs.get('t') ?? []
  broker.createTopic('t', 1)
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold' })
  const message = expect.stringContaining('t has no partition 1 any more.')
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { message } })
  expect(broker.values('t')).toEqual([])
  broker.createTopic('t', 2)
  if (log !== undefined) broker.logs.get('t')?.splice(1, 1, log)
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t', 1)).toEqual(['sent', 'sent too', 'behind it'])
})

test('afterwards the lane goes on, and a topic that grows again is used whole', async () => {
  await using broker = await FakeBroker.start({ t: 3 })
  await using rig = await openProducer(broker.port)
  addAll(rig.producer, ['before'], { partition: 2 })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  broker.createTopic('t', 1)
  rig.producer.add(
    't',
    record(
      'after',
      keys.find(name => partitionOf(name, 3) === 2),
    ),
    { index: 0 },
  )
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['after'])
  broker.createTopic('t', 3)
  addAll(rig.producer, ['back'], { partition: 0 })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
})
