import { KafkaError, obstacleOf } from '@millrace/kafka'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gapBefore, parsePosition, partitionOf, type Position, positionText, startOf } from '../src/position.ts'

const position: Position = { clusterId: 'here', topicId: 'one', offset: 50n, leaderEpoch: 3 }

/** A log from offset 10 up to 100, that says where epochs end; `untold`: one that does not. */
const ordinary = {
  clusterId: 'here',
  topicId: 'one',
  leaderEpoch: 4,
  first: 10n,
  end: 100n,
  epochEnd: 60n,
  untold: false,
}

function log(changed: Partial<typeof ordinary> = {}) {
  const { first, end, epochEnd, untold, ...ids } = { ...ordinary, ...changed }
  return {
    ...ids,
    range: async () => ({ first, end }),
    endOf: async () => (untold ? undefined : { offset: epochEnd, leaderEpoch: 3 }),
  }
}

test('a position is read as it was written', () => {
  const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
  const positions = fc.record({
    clusterId: fc.string(),
    topicId: fc.string(),
    offset,
    leaderEpoch: fc.integer({ min: -1 }),
  })
  fc.assert(
    fc.property(positions, one => {
      expect(parsePosition(positionText(one))).toEqual(one)
    }),
  )
})

test.each(['', '{}', '{"topicId":"a","offset":"-1","leaderEpoch":0}', '{"topicId":"a","offset":7,"leaderEpoch":0}'])(
  '%j is no position',
  text => {
    expect(() => parsePosition(text)).toThrow(Error)
  },
)

test('a position of before clusters were told apart is read', () => {
  const text = JSON.stringify({ topicId: 'one', offset: '50', leaderEpoch: 3 })
  expect(parsePosition(text)).toEqual({ ...position, clusterId: '' })
})

test('a lane names its partition', () => {
  expect(partitionOf('a.b_c-d/12')).toEqual({ topic: 'a.b_c-d', partition: 12 })
  for (const lane of ['0', 'a/', '/1', 'a/-1', 'a/b', 'lister']) expect(() => partitionOf(lane)).toThrow(RangeError)
})

test('start: a time that is still to come: what was written while it was asked for was skipped', async () => {
  let end = 7n
  const growing = {
    ...log(),
    committed: async () => undefined,
    offsetAt: async (place: unknown) => {
      const answer = place === 'latest' ? end : -1n
      end += 3n
      return answer
    },
  }
  const start = { start: { time: Date.now() + 1_000 }, group: 'g', followsOurs() {} }
  expect(await startOf(growing, { topic: 't', partition: 0 }, start)).toMatchObject({ offset: 7n })
})

describe('a log goes on where the position stands', () => {
  test.each([
    ['as it was left', log()],
    ['read up to its end', log({ end: 50n, epochEnd: 50n })],
    ['read up to its beginning', log({ first: 50n })],
    ['under brokers that know no epochs', log({ untold: true })],
    ['under brokers that know no ids', log({ topicId: '' })],
    ['of a cluster that does not say which it is', log({ clusterId: '' })],
  ])('%s', async (_, at) => {
    expect(await gapBefore(at, position)).toBeUndefined()
  })

  test('read under no epoch yet', async () => {
    expect(await gapBefore(log({ epochEnd: 20n }), { ...position, leaderEpoch: -1 })).toBeUndefined()
  })
})

test('a leader of before, who has less of the log, is not asked: that is no gap', async () => {
  const error = await gapBefore(log({ leaderEpoch: 2, end: 40n, epochEnd: -1n }), position).catch((it: unknown) => it)
  expect(error).toMatchObject({ name: 'KafkaError', code: 'broker_error' })
  expect(error instanceof KafkaError && obstacleOf(error)).toBe('moved')
})

describe('a log that does not', () => {
  test.each([
    ['cut below: on from there', log({ epochEnd: 40n }), 40n, 0n],
    ['cut, and of a later beginning', log({ first: 45n, epochEnd: 40n }), 45n, 0n],
    ['nothing of the epoch left', log({ epochEnd: -1n }), 10n, 0n],
    ['expired', log({ first: 70n }), 70n, 20n],
    ['shorter than the position', log({ end: 49n, untold: true }), 10n, 0n],
    ['another cluster, though its topic has no id', log({ clusterId: 'there', topicId: '' }), 10n, 0n],
    ['another topic, however long', log({ topicId: 'two', leaderEpoch: 0 }), 10n, 0n],
  ])('%s', async (_, at, offset, skipped) => {
    expect(await gapBefore(at, position)).toMatchObject({
      next: { clusterId: at.clusterId, topicId: at.topicId, offset, leaderEpoch: -1 },
      skipped,
    })
  })
})
