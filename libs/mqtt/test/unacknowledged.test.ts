import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Unacknowledged } from '../src/unacknowledged.ts'

test('acknowledges up to an ordinal, in order of receipt, in one buffer', () => {
  const ring = new Unacknowledged(10)
  ring.add(1, 0x1234, 1)
  ring.add(2, 5, 2)
  ring.add(4, 6, 1)
  expect(ring.acknowledge(3)).toEqual(Buffer.of(0x40, 2, 0x12, 0x34, 0x50, 2, 0, 5))
  expect(ring.acknowledge(3)).toBeUndefined()
  expect(ring.acknowledge(9)).toEqual(Buffer.of(0x40, 2, 0, 6))
})

test('behaves as a plain queue does', () => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat(5)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 9 }), (sequence, capacity) => {
      const ring = new Unacknowledged(capacity)
      const queue: number[] = []
      let ordinal = 0
      for (const step of sequence) {
        expect(ring.full).toBe(queue.length === capacity)
        if (step === 'add' && !ring.full) {
          ring.add(++ordinal, ordinal, 1)
          queue.push(ordinal)
        }
        const taken = step === 'add' ? [] : queue.splice(0, step)
        const bytes = Buffer.from(taken.flatMap(n => [0x40, 2, n >> 8, n & 0xff]))
        expect(ring.acknowledge(taken.at(-1) ?? 0)).toEqual(taken.length === 0 ? undefined : bytes)
      }
    }),
  )
})
