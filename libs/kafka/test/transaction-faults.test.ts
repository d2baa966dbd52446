/** Transactions against a broker that loses answers, does late what it was asked, and refuses. */
import type { Outcome } from '@millrace/lane'
import { noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cluster, type Producer, ProducerFencedError, Transaction } from '../src/index.ts'
import { apis } from '../src/requests/request.ts'
import { FakeBroker } from './fake-broker.ts'
import { type Fate, FakeTransactions } from './fake-transactions.ts'
import { addAll, openProducer, scripted, settingsFor } from './rig.ts'

noLeaks()

const noTransactions = {
  is: 'hold',
  problem: { code: 'no_transactions', message: expect.stringContaining('delivery: exactlyOnce') },
}

const lost = { is: 'unknown', problem: { code: 'unknown_outcome' } }

/** A late InitProducerId of our own fences us as well. */
function fenced(error: unknown): Outcome {
  if (error instanceof ProducerFencedError) return { is: 'unknown', problem: { code: error.code, message: '' } }
  throw error
}

class Rig implements AsyncDisposable {
  /** The position that was tried last, and the one that is known to be committed. */
  #tried = 0n
  #committed = 0n
  readonly broker: FakeBroker
  readonly transactions: FakeTransactions
  readonly transaction: Transaction
  readonly producer: Producer
  readonly #cluster: Cluster

  private constructor(broker: FakeBroker, cluster: Cluster, transaction: Transaction, producer: Producer) {
    this.broker = broker
    this.transactions = new FakeTransactions(broker)
    this.transaction = transaction
    this.producer = producer
    this.#cluster = cluster
  }

  static async open(prepare?: (broker: FakeBroker) => void): Promise<Rig> {
    const broker = await FakeBroker.start({ t: 2 })
    prepare?.(broker)
    const cluster = await Cluster.open(settingsFor(broker.port))
    const transaction = new Transaction({ cluster, id: 'id', positionTopic: 't' })
    const { producer } = await openProducer(broker.port, { cluster, transactionalId: transaction, maxBatchBytes: 110 })
    return new Rig(broker, cluster, transaction, producer)
  }

  /** One attempt, as the engine makes it: records `from` to the next hundred, and the position behind them. */
  async attempt(values: readonly string[]) {
    for (const [index, value] of values.entries()) {
      addAll(this.producer, [value], { partition: index % 2 })
    }
    const delivered = await this.producer.deliver()
    if (delivered.is !== 'done') return delivered
    this.#tried = this.#committed + BigInt(values.length)
    const ended = await this.transaction.commit({ offset: this.#tried, metadata: '' })
    if (ended.is === 'done') this.#committed = this.#tried
    return ended
  }

  /** After an attempt that failed: whether it counts nevertheless. */
  async settle(): Promise<boolean> {
    let found = await this.transaction.recover()
    while (found.is !== 'done') found = await this.transaction.recover()
    this.producer.rollBack()
    const offset = found.position?.offset ?? 0n
    if (offset === this.#committed) return false
    if (offset !== this.#tried) throw new Error(`Position ${offset}, and ${this.#tried} was tried.`)
    this.#committed = offset
    return true
  }

  /** Until all of it is there. Who is fenced begins again, as its actor does. */
  async deliver(values: readonly string[]): Promise<void> {
    while ((await this.attempt(values).catch(fenced)).is !== 'done') if (await this.settle()) return
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cluster.close()
    await this.broker[Symbol.asyncDispose]()
  }
}

test.each<[Fate, string[]]>([
  ['lost', ['a', 'b']],
  ['late', ['a', 'b']],
  ['drop', []],
  ['later', []],
])('the answer to EndTxn is lost, and it was %s: the position tells what counts', async (fate, counts) => {
  await using rig = await Rig.open()
  expect(await rig.transaction.recover()).toEqual({ is: 'done', position: undefined })
  rig.transactions.next('EndTxn', fate)
  expect(await rig.attempt(['a', 'b'])).toMatchObject(lost)
  const position = counts.length > 0 ? { offset: 2n, metadata: '' } : undefined
  expect(await rig.transaction.recover()).toEqual({ is: 'done', position })
  rig.producer.rollBack()
  expect(rig.transactions.values('t', 0)).toEqual(counts.slice(0, 1))
  expect(await rig.attempt(['c', 'd'])).toEqual({ is: 'done' })
  expect(rig.transactions.values('t', 0)).toEqual([...counts.slice(0, 1), 'c'])
})

test('a topic that is deleted between two transactions is refused at the next attempt', async () => {
  await using broker = await FakeBroker.start({ t: 1, gone: 1 })
  const transactions = new FakeTransactions(broker)
  using cluster = await Cluster.open(settingsFor(broker.port))
  const transaction = new Transaction({ cluster, id: 'id', positionTopic: 't' })
  const template = { topic: undefined, missingTopic: 'refuse' } as const
  await using opened = await openProducer(broker.port, { cluster, transactionalId: transaction, ...template })
  const { producer } = opened
  const attempt = async () => {
    await transaction.recover()
    producer.rollBack()
    addAll(producer, ['a'], { topic: 'gone' })
    return await producer.deliver()
  }
  expect(await attempt()).toEqual({ is: 'done' })
  expect(await transaction.commit({ offset: 1n, metadata: '' })).toEqual({ is: 'done' })
  expect(transactions.values('gone')).toEqual(['a'])
  broker.logs.delete('gone')
  expect(await attempt()).toMatchObject({ is: 'hold' })
  expect(await attempt()).toMatchObject({ is: 'refused', refusals: [{ index: 0, code: 'no_topic' }] })
})

test('answers and requests lost, late or refused at random, in every step: everything once, in order', async () => {
  const fate = fc.constantFrom<Fate>(undefined, undefined, 'drop', 'lost', 'late', 'later', 14, 16, 51)
  const fates = fc.array(fate, { maxLength: 6 })
  const produced = fc.constantFrom<ReturnType<FakeBroker['script']>>('append', 'drop', undefined, { error: 6 })
  const apiNames = [
    'InitProducerId',
    'AddPartitionsToTxn',
    'AddOffsetsToTxn',
    'TxnOffsetCommit',
    'EndTxn',
    'OffsetFetch',
  ] as const
  const scripts = fc.record(Object.fromEntries(apiNames.map(name => [name, fates])))
  await fc.assert(
    fc.asyncProperty(scripts, fc.array(produced, { maxLength: 10 }), async (script, batches) => {
      await using rig = await Rig.open()
      for (const [api, steps] of Object.entries(script)) rig.transactions.next(api, ...steps)
      const next = scripted(...batches)
      rig.broker.script = batch => rig.transactions.check(batch) ?? next(batch)
      await rig.settle()
      const sent: string[][] = [[], []]
      for (let delivery = 0; delivery < 4; delivery++) {
        const values = Array.from({ length: 6 }, (_, index) => `${delivery}.${index}`)
        await rig.deliver(values)
        values.forEach((value, index) => sent[index % 2]?.push(value))
      }
      expect([0, 1].map(partition => rig.transactions.values('t', partition))).toEqual(sent)
    }),
    { numRuns: 60 },
  )
}, 60_000)

test.each([47, 90])('error %i in any step: somebody else, or time, has ended the transaction', async error => {
  for (const api of ['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']) {
    await using rig = await Rig.open()
    await rig.transaction.recover()
    rig.transactions.next(api, error)
    await expect(rig.attempt(['a'])).rejects.toMatchObject({ name: 'ProducerFencedError', code: 'producer_fenced' })
  }
})

test.each([
  ['AddPartitionsToTxn', 29, 'topic_authorization_failed'],
  ['AddPartitionsToTxn', 53, 'transactional_id_authorization_failed'],
  ['AddOffsetsToTxn', 30, 'group_authorization_failed'],
  ['TxnOffsetCommit', 3, 'topic_missing'],
  ['TxnOffsetCommit', 12, 'offset_metadata_too_large'],
])(
  '%s is refused with %i: the lane holds, nothing counts, and it goes on when that is over',
  async (api, error, code) => {
    await using rig = await Rig.open()
    await rig.transaction.recover()
    rig.transactions.next(api, error)
    expect(await rig.attempt(['a'])).toMatchObject({ is: 'hold', problem: { code } })
    expect(rig.transactions.values('t')).toEqual([])
    expect(await rig.settle()).toBe(false)
    await rig.deliver(['a'])
    expect(rig.transactions.values('t')).toEqual(['a'])
  },
)

test('an end that is refused is not known, and settled by reading', async () => {
  await using rig = await Rig.open()
  await rig.transaction.recover()
  rig.transactions.next('EndTxn', 48)
  expect(await rig.attempt(['a'])).toMatchObject({ is: 'unknown', problem: { code: 'invalid_txn_state' } })
  expect(await rig.settle()).toBe(false)
  await rig.deliver(['a'])
  expect(rig.transactions.values('t')).toEqual(['a'])
})

test('a broker that has lost track of the sequence: the transaction begins anew', async () => {
  await using rig = await Rig.open()
  await rig.transaction.recover()
  const next = scripted(undefined, { error: 45 })
  rig.broker.script = batch => rig.transactions.check(batch) ?? next(batch)
  expect(await rig.attempt(['a', 'b'])).toMatchObject({ is: 'unknown', problem: { code: 'sequence_lost' } })
  expect(await rig.settle()).toBe(false)
  await rig.deliver(['a', 'b'])
  expect(rig.transactions.values('t', 1)).toEqual(['b'])
})

test('a broker that does not speak EndTxn has no transactions, and that is said at the start', async () => {
  await using rig = await Rig.open(broker => broker.versions.delete(apis.endTxn.key))
  expect(await rig.transaction.recover()).toMatchObject(noTransactions)
})

test('so does one that refuses InitProducerId', async () => {
  await using rig = await Rig.open()
  rig.transactions.next('InitProducerId', 42)
  expect(await rig.transaction.recover()).toMatchObject(noTransactions)
})
