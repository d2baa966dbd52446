import { expect, test } from 'vitest'
import { Ledger } from '../src/index.ts'

/** A ledger of one publisher with the first `acknowledged` numbers acknowledged, and these arrivals. */
function ledgerOf(acknowledged: number, arrivals: number[]): Ledger {
  const ledger = new Ledger()
  for (let number = 0; number < acknowledged; number++) ledger.acknowledged('a', number)
  for (const number of arrivals) ledger.delivered('a', number, `at ${number}`)
  return ledger
}

const clean = { lost: [], outOfOrder: [], duplicates: 0, unacknowledgedButDelivered: 0 }

test('all that was acknowledged came, in order', () => {
  expect(ledgerOf(3, [0, 1, 2]).report()).toEqual({ ...clean, acknowledged: 3, delivered: 3 })
})

test('what was acknowledged and did not come is lost', () => {
  const report = ledgerOf(3, [0, 2]).report()
  expect(report).toEqual({ ...clean, acknowledged: 3, delivered: 2, lost: [{ publisher: 'a', number: 1 }] })
})

test('a first arrival behind a later one is out of order', () => {
  const report = ledgerOf(3, [0, 2, 1]).report()
  const late = { publisher: 'a', number: 1, after: 2, place: 'at 1' }
  expect(report).toEqual({ ...clean, acknowledged: 3, delivered: 3, outOfOrder: [late] })
})

test('what comes again is a duplicate, and in order', () => {
  expect(ledgerOf(3, [0, 1, 0, 1, 2]).report()).toEqual({ ...clean, acknowledged: 3, delivered: 3, duplicates: 2 })
})

test('what came without an acknowledgement is counted apart', () => {
  const report = ledgerOf(1, [0, 1]).report()
  expect(report).toEqual({ ...clean, acknowledged: 1, delivered: 2, unacknowledgedButDelivered: 1 })
})

test('publishers are checked each by itself', () => {
  const ledger = new Ledger()
  ledger.delivered('a', 5)
  ledger.delivered('b', 0)
  ledger.acknowledged('b', 1)
  expect(ledger.report()).toMatchObject({ outOfOrder: [], lost: [{ publisher: 'b', number: 1 }] })
})

test('a million messages take little', () => {
  const ledger = new Ledger()
  for (let number = 0; number < 1_000_000; number++) {
    ledger.acknowledged('a', number)
    ledger.delivered('a', number)
  }
  expect(ledger.report()).toEqual({ ...clean, acknowledged: 1_000_000, delivered: 1_000_000 })
})

test('a number that can be no message is refused', () => {
  expect(() => new Ledger().delivered('a', -1)).toThrow(RangeError)
})
