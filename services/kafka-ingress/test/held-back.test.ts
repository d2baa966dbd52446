import type { Problem } from '@millrace/lane'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HeldBack } from '../src/held-back.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const nothing = Buffer.alloc(0)

/** Looks at these, ten seconds apart; returns what was told. */
function lookAt(...offsets: (bigint | 'records')[]): (string | undefined)[] {
  const told: (Problem | undefined)[] = []
  const heldBack = new HeldBack(problem => told.push(problem))
  for (const offset of offsets) {
    if (offset === 'records') heldBack.look({ records: Buffer.alloc(1), heldBack: 3n })
    else heldBack.look({ records: nothing, heldBack: offset })
    vi.advanceTimersByTime(10_000)
  }
  return told.map(problem => problem?.code)
}

test('a transaction that nobody ends is told once, after a minute, and that it is over', () => {
  expect(lookAt(5n, 5n, 5n, 5n, 5n, 5n)).toEqual([])
  expect(lookAt(5n, 5n, 5n, 5n, 5n, 5n, 6n, 7n, 8n)).toEqual(['open_transaction'])
  expect(lookAt(5n, 5n, 5n, 5n, 5n, 5n, 6n, 'records', 0n)).toEqual(['open_transaction', undefined])
})

test('transactions one after another are not told, nor is a log at its end', () => {
  expect(lookAt(5n, 5n, 5n, 5n, 'records', 5n, 5n, 5n, 5n, 0n, 5n, 5n)).toEqual([])
  expect(lookAt(0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n)).toEqual([])
})
