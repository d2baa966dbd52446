import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type Kafka, noLeaks, startKafka } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GivenDelivery } from './delivery.ts'
import { openSink } from './sink-rig.ts'

noLeaks()

let kafka: Kafka
let broker: string
beforeAll(async () => {
  kafka = await startKafka()
  broker = kafka.brokers.join()
})
afterAll(() => kafka[Symbol.asyncDispose]())

const valuesOf = async (topic: string, partition?: number) => {
  const records = await kafka.readAll(topic)
  return records.filter(one => partition === undefined || one.partition === partition).map(({ value }) => String(value))
}

test('records that can’t be placed are refused by their index, the others are delivered in order', async () => {
  await kafka.createTopic('site-a')
  const sink = await openSink({ broker, topic: 'site-${source.levels[0]}' })
  const outcome = await sink.write(
    new GivenDelivery([
      { value: '0', topic: 'a/x' },
      { value: '1', topic: 'missing/x' },
      { value: '2' },
      { value: '3', topic: 'a b/x' },
      { value: '4', topic: 'a/y' },
    ]),
  )
  expect(outcome).toMatchObject({
    is: 'refused',
    refusals: [
      { index: 1, code: 'no_topic' },
      { index: 2, code: 'expression' },
      { index: 3, code: 'no_topic' },
    ],
  })
  expect(await valuesOf('site-a')).toEqual(['0', '4'])
  await sink.close()
})

test('the late batch of an owner that was stopped is refused', { timeout: 120_000 }, async () => {
  await kafka.createTopic('stopped', 2)
  const owner = fork(new URL('stopped-owner.ts', import.meta.url).pathname, [broker])
  try {
    expect((await once(owner, 'message'))[0]).toBe('ready')
    owner.kill('SIGSTOP')
    const next = await openSink({ broker, topic: 'stopped', partition: '${record.key}' })
    const write = (value: string) =>
      next.write(new GivenDelivery(['0', '1'].map(key => ({ key, value: `${value} ${key}` }))))
    expect(await write('next owner')).toEqual({ is: 'done' })
    const ended = once(owner, 'message')
    owner.send('go on')
    owner.kill('SIGCONT')
    expect((await ended)[0]).toBe('FencedError')
    expect(await write('still there')).toEqual({ is: 'done' })
    for (const partition of [0, 1]) {
      const values = ['first owner', 'next owner', 'still there'].map(value => `${value} ${partition}`)
      expect(await valuesOf('stopped', partition)).toEqual(values)
    }
    await next.close()
  } finally {
    owner.kill('SIGKILL')
  }
})

test('after close nothing is sent any more, and closing again does no harm', async () => {
  await kafka.createTopic('closed')
  const sink = await openSink({ broker, topic: 'closed' })
  await sink.close()
  await sink.close()
  expect(await sink.write(new GivenDelivery([{ value: 'late' }]))).toMatchObject({ is: 'hold' })
  expect(await valuesOf('closed')).toEqual([])
})

test('a sink that is aborted while it opens leaves nothing behind', async () => {
  const abort = new AbortController()
  const opening = openSink({ broker, topic: 'any', signal: abort.signal })
  abort.abort()
  await expect(opening).rejects.toMatchObject({ name: 'KafkaError', code: 'closed' })
})
