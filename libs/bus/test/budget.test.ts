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

test('Who may not ask now is called when others have got theirs, though some of those who wait are over', async () => {
  const budget = new Budget(most)
  const called: string[] = []
  expect(budget.ask(30 * 2 ** 20, () => {})).toBe(true)
  expect(budget.ask(4 * 2 ** 20, () => called.push('over'))).toBe(false)
  expect(budget.ask(4 * 2 ** 20, () => called.push('next'))).toBe(false)
  budget.came(10 * 2 ** 20)
  await Promise.resolve()
  expect(called).toEqual([])
  budget.came(20 * 2 ** 20)
  await Promise.resolve()
  expect(called).toEqual(['over', 'next'])
  expect(budget.ask(100 * 2 ** 20, () => {})).toBe(true)
})
