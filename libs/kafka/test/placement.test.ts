import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { FakeBroker } from './fake-broker.ts'
import { openProducer, record } from './rig.ts'

noLeaks()

test('a template made topics: the missing one is refused, the others are written', async () => {
  await using broker = await FakeBroker.start({ a: 3, b: 1 })
  await using rig = await openProducer(broker.port, { topic: undefined, missingTopic: 'refuse' })
  for (const [index, topic] of ['a', 'missing', 'b', 'a', 'missing'].entries()) {
    rig.producer.add(topic, record(`${index}`, 'key'), { index })
  }
  expect(await rig.producer.deliver()).toMatchObject({
    is: 'refused',
    refusals: [
      { index: 1, code: 'no_topic' },
      { index: 4, code: 'no_topic' },
    ],
  })
  expect([0, 1, 2].flatMap(partition => broker.values('a', partition))).toEqual(['0', '3'])
  expect(broker.values('b')).toEqual(['2'])
})

test('a fixed topic that is missing holds the lane until it is there', async () => {
  await using broker = await FakeBroker.start({})
  await using rig = await openProducer(broker.port)
  rig.producer.add('t', record('a', 'key'), { index: 0 })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'topic_missing' } })
  broker.createTopic('t', 1)
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a'])
})

test('a partition that the topic does not have is refused, before and after its partitions are known', async () => {
  await using broker = await FakeBroker.start({ t: 2 })
  await using rig = await openProducer(broker.port, { topic: undefined })
  for (let round = 0; round < 2; round++) {
    rig.producer.add('t', record('a'), { index: 0, partition: 2 })
    rig.producer.add('t', record('b'), { index: 1, partition: 1 })
    expect(await rig.producer.deliver()).toMatchObject({
      is: 'refused',
      refusals: [{ index: 0, code: 'no_partition' }],
    })
  }
  expect(broker.values('t', 1)).toEqual(['b', 'b'])
})

test('records without a key stay together in a delivery and move on with the next', async () => {
  await using broker = await FakeBroker.start({ t: 3 })
  await using rig = await openProducer(broker.port)
  for (let delivery = 0; delivery < 3; delivery++) {
    for (const index of [0, 1]) rig.producer.add('t', record(`${delivery}.${index}`), { index })
    expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  }
  const logs = [0, 1, 2].map(partition => broker.values('t', partition))
  expect(logs.sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? ''))).toEqual(
    [0, 1, 2].map(delivery => [`${delivery}.0`, `${delivery}.1`]),
  )
})

test('by lane, everything goes to the lane’s own partition', async () => {
  await using broker = await FakeBroker.start({ t: 4 })
  await using rig = await openProducer(broker.port, { partitionBy: 'lane', lane: '6' })
  rig.producer.add('t', record('a', 'one'), { index: 0 })
  rig.producer.add('t', record('b', 'two'), { index: 1 })
  rig.producer.add('t', record('c'), { index: 2 })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t', 2)).toEqual(['a', 'b', 'c'])
})
