import type { Place, Position, Totals } from '@millrace/bus'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Committer } from '../src/committer.ts'

const totals: Totals = { out: 0, dead: 0, filtered: 0, parked: 0 }

/** A position whose commits end when the test says so. */
class SlowPosition {
  place: Place = { sequence: 0 }
  readonly totals = totals
  readonly ends: (() => void)[] = []

  async commit(place: Place): Promise<void> {
    await new Promise<void>(resolve => this.ends.push(resolve))
    this.place = place
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what is delivered while a commit takes longer than its interval is committed after it, though nothing more comes', async () => {
  const position = new SlowPosition()
  const committer = new Committer(position as unknown as Position, error => expect.unreachable(String(error)))
  committer.reached({ sequence: 1 }, totals, 1)
  await vi.advanceTimersByTimeAsync(100)
  expect(position.ends).toHaveLength(1)
  committer.reached({ sequence: 2 }, totals, 1)
  await vi.advanceTimersByTimeAsync(300)
  position.ends.shift()?.()
  await vi.advanceTimersByTimeAsync(100)
  position.ends.shift()?.()
  await vi.advanceTimersByTimeAsync(0)
  expect(position.place.sequence).toBe(2)
  committer.stop()
})
