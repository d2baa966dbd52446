/** What is given up, with its topic or as a record that can't pass, takes nothing else with it. */
import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { FakeBroker } from './fake-broker.ts'
import { addAll, deliverAll, openProducer, record, scripted } from './rig.ts'

noLeaks()

test('a topic that is refused for a moment keeps its sequences: what comes next is no duplicate', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { missingTopic: 'refuse' })
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  const logs = broker.logs.get('t')!
  broker.logs.delete('t')
  addAll(rig.producer, ['b'])
  expect(await deliverAll(rig.producer)).toMatchObject({ is: 'refused', refusals: [{ index: 0, code: 'no_topic' }] })
  broker.logs.set('t', logs)
  addAll(rig.producer, ['c'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'c'])
})

test('where a batch of unknown outcome is refused with its topic, the next one goes out under a new epoch', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { missingTopic: 'refuse' })
  const logs = broker.logs.get('t')!
  broker.script = scripted('append')
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  broker.logs.delete('t')
  expect(await deliverAll(rig.producer)).toMatchObject({ is: 'refused' })
  broker.logs.set('t', logs)
  addAll(rig.producer, ['b'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b'])
})

test('records refused before a topic could not be created stay refused', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  const create = { partitions: 1, replicas: 1, config: {} }
  await using rig = await openProducer(broker.port, { missingTopic: { create }, topic: undefined })
  rig.producer.add('t', record('nowhere'), { index: 0, partition: 7 })
  rig.producer.add('new', record('later'), { index: 1, partition: 0 })
  // This broker can't create topics: administration fails after `t` was found to have no partition 7.
  expect((await rig.producer.deliver()).is).not.toBe('done')
  broker.createTopic('new', 1)
  expect(await deliverAll(rig.producer)).toMatchObject({
    is: 'refused',
    refusals: [{ index: 0, code: 'no_partition' }],
  })
  expect(broker.values('new')).toEqual(['later'])
})

test('a batch that was sent before with an unknown end and is then taken apart does not lend its sequence to the rest', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted('append', { error: 87, invalid: [0] })
  addAll(rig.producer, ['a', 'b'])
  expect(await deliverAll(rig.producer)).toMatchObject({ is: 'refused', refusals: [{ index: 0 }] })
  expect(broker.values('t')).toEqual(['a', 'b', 'b'])
})

test('acks 1: a topic that is refused with a batch of unknown end does not stop the event loop', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { acks: 1, missingTopic: 'refuse' })
  const logs = broker.logs.get('t')!
  broker.script = scripted('append')
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  broker.logs.delete('t')
  expect(await deliverAll(rig.producer)).toMatchObject({ is: 'refused' })
  broker.logs.set('t', logs)
  addAll(rig.producer, ['b'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b'])
})

test('records of a topic without partitions, or of which a broker says nothing, counted as delivered', async () => {
  await using broker = await FakeBroker.start({ t: 0 })
  await using rig = await openProducer(broker.port)
  rig.producer.add('t', record('a'), { index: 0 })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'leader_not_available' } })
  broker.answers.set('Metadata', (_, to) => {
    to.int32(0).array([1], node => to.int32(node).string('127.0.0.1').int32(broker.port).string(null))
    to.string(null).int32(1).int32(0)
  })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'leader_not_available' } })
  broker.answers.delete('Metadata')
  broker.createTopic('t', 1)
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a'])
})
