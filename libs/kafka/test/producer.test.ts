import { readHeader } from '@millrace/record'
import { noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { oldMessage } from '../../record/test/old-message.ts'
import { FakeBroker, type Script } from './fake-broker.ts'
import { addAll, deliverAll, openProducer, record, scripted } from './rig.ts'

noLeaks()

test('a lost answer: the same bytes go out again, and the broker knows them', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted('append')
  addAll(rig.producer, ['a', 'b'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown', problem: { code: 'unknown_outcome' } })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b'])
  expect(broker.received[1]?.equals(broker.received[0]!)).toBe(true)
})

test('a lost request goes out again', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted('drop', 'drop')
  addAll(rig.producer, ['a', 'b'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b'])
})

test('answers and requests lost at random, in three partitions: everything once, in order', async () => {
  const step = fc.constantFrom<ReturnType<Script>>(
    'append',
    'drop',
    undefined,
    { error: 6 },
    { error: 7 },
    { error: 19 },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
      await using broker = await FakeBroker.start({ t: 3 })
      await using rig = await openProducer(broker.port, { maxBatchBytes: 110 })
      broker.script = scripted(...steps)
      const sent: string[][] = [[], [], []]
      for (let delivery = 0; delivery < 5; delivery++) {
        for (let index = 0; index < 12; index++) {
          const [partition, value] = [index % 3, `${delivery}.${index}`]
          rig.producer.add('t', record(value), { index, partition })
          sent[partition]?.push(value)
        }
        expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
      }
      expect([0, 1, 2].map(partition => broker.values('t', partition))).toEqual(sent)
    }),
    { numRuns: 60 },
  )
})

test('sequence numbers go on from batch to batch', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { maxBatchBytes: 110 })
  addAll(rig.producer, ['a', 'b', 'c', 'd', 'e'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  addAll(rig.producer, ['f'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  const headers = broker.received.map(readHeader)
  expect(headers.map(header => header.baseSequence)).toEqual([0, 2, 4, 5])
  expect(broker.values('t')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

test('a batch that is too large is halved until one record stands alone, and only that one is refused', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = ({ values }) => (values.includes('huge') ? { error: 10 } : undefined)
  addAll(rig.producer, ['a', 'b', 'c', 'huge', 'd', 'e', 'f'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 3, code: 'too_large' }] })
  expect(broker.values('t')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  addAll(rig.producer, ['g'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
})

test('after a broker called a batch too large, the next ones are cut smaller', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = ({ values }) => (values.length > 3 ? { error: 10 } : undefined)
  const values = Array.from({ length: 12 }, (_, index) => `value ${index}`.padEnd(100))
  addAll(rig.producer, values)
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  const before = broker.received.length
  addAll(rig.producer, values)
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.received.length - before).toBeLessThan(before)
  expect(broker.values('t')).toEqual([...values, ...values])
})

test('records that the broker calls invalid are refused with its words, the others delivered in order', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted({ error: 87, invalid: [1, 3] })
  addAll(rig.producer, ['a', 'bad', 'b', 'bad', 'c'])
  const outcome = await rig.producer.deliver()
  expect(outcome).toMatchObject({ is: 'refused', refusals: [{ index: 1, code: 'invalid_record' }, { index: 3 }] })
  expect(outcome.is === 'refused' && outcome.refusals[0]?.message).toContain('INVALID_RECORD (bad)')
  expect(broker.values('t')).toEqual(['a', 'b', 'c'])
})

test('where the broker does not say which record is invalid, halving finds it', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  broker.versions.set(0, [3, 7])
  await using rig = await openProducer(broker.port, { compression: 'zstd' })
  broker.script = ({ values }) => (values.includes('bad') ? { error: 87 } : undefined)
  addAll(rig.producer, ['a', 'b', 'bad', 'c', 'bad'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 2 }, { index: 4 }] })
  expect(broker.values('t')).toEqual(['a', 'b', 'c'])
})

test.each([19, 29, 44, 53, 76, 120, 999])(
  'error %i holds, and what is left goes out when it has passed',
  async error => {
    await using broker = await FakeBroker.start({ t: 2 })
    await using rig = await openProducer(broker.port)
    broker.script = ({ partition }) => (partition === 0 ? { error } : undefined)
    rig.producer.add('t', record('a'), { index: 0, partition: 0 })
    rig.producer.add('t', record('b'), { index: 1, partition: 1 })
    expect(await rig.producer.deliver()).toMatchObject({
      is: 'hold',
      problem: { message: expect.stringContaining('t, partition 0') },
    })
    expect(broker.values('t', 1)).toEqual(['b'])
    broker.script = () => undefined
    expect(await rig.producer.deliver()).toEqual({ is: 'done' })
    expect(broker.values('t', 0)).toEqual(['a'])
    expect(broker.values('t', 1)).toEqual(['b'])
  },
)

test.each([5, 6, 74])('error %i: metadata is read again, and nobody notices', async error => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted({ error })
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a'])
})

test.each([-1, 7, 20])('error %i may mean that it is stored: the same bytes go out again', async error => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted({ error })
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.received[1]?.equals(broker.received[0]!)).toBe(true)
})

test.each([45, 49, 59])('error %i with the batch in the log: it is found there and not sent again', async error => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  addAll(rig.producer, ['a'])
  await rig.producer.deliver()
  broker.script = scripted('append', { error })
  addAll(rig.producer, ['b'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  addAll(rig.producer, ['c'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'b', 'c'])
  expect(broker.epoch).toBe(1)
})

test('a batch is found in the log behind messages of older formats, which are smaller than a batch can be', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  const [log] = broker.logs.get('t') ?? []
  log?.batches.push(oldMessage('', 0))
  if (log !== undefined) log.end = 1n
  await using rig = await openProducer(broker.port)
  broker.script = scripted('append', { error: 45 })
  addAll(rig.producer, ['b'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(log?.batches.length).toBe(2)
  expect(broker.epoch).toBe(1)
})

test.each([45, 49, 59])('error %i without the batch in the log: it goes out under a new epoch', async error => {
  await using broker = await FakeBroker.start({ t: 2 })
  await using rig = await openProducer(broker.port)
  rig.producer.add('t', record('other'), { index: 0, partition: 1 })
  await rig.producer.deliver()
  broker.script = scripted('drop', { error })
  addAll(rig.producer, ['a'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  rig.producer.add('t', record('more'), { index: 0, partition: 1 })
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(broker.values('t', 0)).toEqual(['a'])
  expect(broker.values('t', 1)).toEqual(['other', 'more'])
  expect(readHeader(broker.received.at(-1)!)).toMatchObject({ producerEpoch: 1, baseSequence: 0 })
})

test('the epoch does not change while another batch is unknown', async () => {
  await using broker = await FakeBroker.start({ t: 2 })
  await using rig = await openProducer(broker.port)
  let step = 0
  broker.script = ({ partition }) => {
    if (partition === 0) return step++ === 0 ? { error: 45 } : undefined
    return step < 3 ? { error: 7 } : undefined
  }
  rig.producer.add('t', record('a'), { index: 0, partition: 0 })
  rig.producer.add('t', record('b'), { index: 1, partition: 1 })
  expect(await rig.producer.deliver()).toMatchObject({ is: 'unknown' })
  expect(broker.epoch).toBe(0)
  step = 3
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect([broker.values('t', 0), broker.values('t', 1), broker.epoch]).toEqual([['a'], ['b'], 1])
})

test.each([47, 90])('error %i: another owner has the lane', async error => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.script = scripted({ error })
  addAll(rig.producer, ['a'])
  await expect(rig.producer.deliver()).rejects.toMatchObject({ name: 'ProducerFencedError' })
})

test('a producer that was shut out does not come back by taking a new epoch', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using old = await openProducer(broker.port)
  await using _ = await openProducer(broker.port)
  broker.script = scripted({ error: 45 })
  addAll(old.producer, ['late'])
  await expect(old.producer.deliver()).rejects.toMatchObject({ name: 'ProducerFencedError' })
  expect(broker.values('t')).toEqual([])
})

test('acks 1: no producer id; a lost answer makes a duplicate', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { acks: 1 })
  broker.script = scripted('append')
  addAll(rig.producer, ['a'])
  expect(await deliverAll(rig.producer)).toEqual({ is: 'done' })
  expect(broker.values('t')).toEqual(['a', 'a'])
  expect(readHeader(broker.received[0]!)).toMatchObject({ producerId: -1n, baseSequence: -1 })
})

test('acks 0: no answer is waited for', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { acks: 0 })
  addAll(rig.producer, ['a', 'b'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  addAll(rig.producer, ['c'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  await rig.cluster.metadata(['t'])
  expect(broker.values('t')).toEqual(['a', 'b', 'c'])
})

test('who may not write any more sends nothing', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port, { mayWrite: () => false })
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'not_owner' } })
  expect(broker.received).toEqual([])
})

test('who loses the lane while it reads metadata or connects sends nothing', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  let asked = 0
  await using rig = await openProducer(broker.port, { mayWrite: () => ++asked === 1 })
  addAll(rig.producer, ['a'])
  expect(await rig.producer.deliver()).toMatchObject({ is: 'hold', problem: { code: 'not_owner' } })
  expect(broker.received).toEqual([])
})
