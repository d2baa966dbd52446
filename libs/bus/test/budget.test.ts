import { array, assert, boolean, integer, nat, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import { Budget } from '../src/index.ts'

const lanes = 4
const most = 1_000
const largest = 700

/** Of each lane in turn: take so many bytes where it may, or let so much of what it has go. */
const steps = array(
  record({
    lane: nat(lanes - 1),
    take: boolean(),
    bytes: integer({ min: 1, max: largest }),
  }),
)

test('Lanes that ask before they take never hold more than the budget and what each takes at a time', () => {
  assert(
    property(steps, taken => {
      const budget = new Budget(most)
      const holds = Array.from({ length: lanes }, () => budget.hold())
      for (const { lane, take, bytes } of taken) {
        const hold = holds[lane]!
        if (!take) hold.add(-Math.min(bytes, hold.bytes))
        else if (hold.room) hold.add(bytes)
        expect(budget.held).toBe(holds.reduce((sum, held) => sum + held.bytes, 0))
        expect(budget.held).toBeLessThan(most + lanes * largest)
        // Nobody waits for another one: whoever holds nothing may take.
        expect(holds.every(held => held.bytes > 0 || held.room)).toBe(true)
      }
      for (const hold of holds) hold[Symbol.dispose]()
      expect(budget.held).toBe(0)
    }),
  )
})

test('What a lane adds after its end is not counted', () => {
  const budget = new Budget(most)
  const hold = budget.hold(10)
  hold[Symbol.dispose]()
  hold.add(20)
  expect(budget.held).toBe(0)
})
