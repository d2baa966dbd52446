import { expect, test } from 'vitest'
import { codeOf, nameOfBrokerError, type Verdict, verdictOf } from '../src/broker-errors.ts'

const newest = 133

/** Every code that is not listed must hold the lane. */
const expected: { [verdict in Exclude<Verdict, 'hold'>]: number[] } = {
  done: [0, 46],
  too_large: [10, 18],
  compression: [43, 76],
  refused: [32, 87],
  topic: [3, 17],
  moved: [5, 6, 8, 9, 72, 74, 75, 100, 103, 108],
  unknown: [-1, 2, 7, 13, 20, 56],
  fenced: [47, 90],
  lost: [45, 49, 59],
}

test('every error of Kafka has its verdict', () => {
  for (let code = -1; code <= newest; code++) {
    const listed = Object.entries(expected).find(([, codes]) => codes.includes(code))
    expect([code, verdictOf(code)]).toEqual([code, listed?.[0] ?? 'hold'])
  }
})

test('an error that is newer than the table holds the lane', () => {
  expect(verdictOf(newest + 1)).toBe('hold')
  expect(nameOfBrokerError(newest + 1)).toBe('error 134')
})

test.each([
  [19, 'NOT_ENOUGH_REPLICAS'],
  [29, 'TOPIC_AUTHORIZATION_FAILED'],
  [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
  [59, 'UNKNOWN_PRODUCER_ID'],
  [87, 'INVALID_RECORD'],
  [89, 'THROTTLING_QUOTA_EXCEEDED'],
  [90, 'PRODUCER_FENCED'],
  [120, 'TRANSACTION_ABORTABLE'],
  [133, 'SHARE_SESSION_LIMIT_REACHED'],
])('error %i is %s', (code, name) => {
  expect(nameOfBrokerError(code)).toBe(name)
})

test.each([
  ['UNKNOWN_TOPIC_OR_PARTITION', 3],
  ['LEADER_NOT_AVAILABLE', 5],
  ['COORDINATOR_LOAD_IN_PROGRESS', 14],
  ['COORDINATOR_NOT_AVAILABLE', 15],
  ['NOT_COORDINATOR', 16],
  ['UNSUPPORTED_VERSION', 35],
  ['INVALID_REQUEST', 42],
  ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 43],
  ['CONCURRENT_TRANSACTIONS', 51],
  ['FENCED_LEADER_EPOCH', 74],
  ['UNSTABLE_OFFSET_COMMIT', 88],
])('%s is %i', (name, code) => expect(codeOf(name)).toBe(code))
