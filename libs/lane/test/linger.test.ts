import { expect, test } from 'vitest'
import { Linger, maxLinger } from '../src/linger.ts'

/** The linger that batches of this size lead to, one every 10 ms. */
function after(records: number, batches: number, linger = new Linger(), from = 0): number {
  let now = from
  for (let i = 0; i < batches; i++) linger.closed(records, (now += 10))
  return linger.begin(now)
}

test('It grows while batches hold few records, up to its bound', () => {
  expect(after(3, 5)).toBe(5)
  expect(after(19, 1_000)).toBe(maxLinger)
})

test('It settles at a few milliseconds where batches hold enough, and goes where they fill by themselves', () => {
  const linger = new Linger()
  expect(after(3, 12, linger)).toBe(12)
  expect(after(25, 100, linger)).toBe(12)
  expect(after(100, 100, linger)).toBe(4)
  expect(after(501, 3, linger)).toBe(0)
  expect(after(100, 100, linger)).toBe(4)
})

test('After a silence nothing is waited for: a lone record goes at once', () => {
  const linger = new Linger()
  expect(linger.begin(0)).toBe(0)
  expect(after(1, 20, linger)).toBe(20)
  expect(linger.begin(200 + 39)).toBe(20)
  expect(linger.begin(200 + 40)).toBe(0)
})
