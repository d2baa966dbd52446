/** Connections that nobody used for a while, or over which nothing comes. */
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { PartitionLog } from '../src/index.ts'
import { FakeBroker } from './fake-broker.ts'
import { addAll, openProducer } from './rig.ts'

noLeaks()

test('a connection that the broker closes while it is idle is made anew by the next record, and nothing is told', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  const connection = await rig.cluster.broker(1)
  broker.cut()
  await eventually(() => !connection.open, { what: 'the end of the connection' })
  addAll(rig.producer, ['b'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b'])
})

test('a long poll that is never answered ends with the time-out, and the next one goes over another connection', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, {}, { requestTimeout: 500 })
  const log = new PartitionLog(rig.cluster, { topic: 't', partition: 0 }, 'readCommitted')
  await log.locate()
  const connection = await rig.cluster.broker(1)
  broker.answers.set('Fetch', () => 'silent')
  await expect(log.fetch(0n)).rejects.toMatchObject({ code: 'unknown_outcome' })
  expect(connection.open).toBe(false)
  broker.answers.delete('Fetch')
  expect((await log.fetch(0n)).error).toBe(0)
})
