import { eventually } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Standstills } from './standstill.ts'

test('time in which this process stood still is told, and no other', async () => {
  using standstills = new Standstills()
  const begun = Date.now()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000)
  const stood = Date.now()
  await eventually(() => standstills.within({ from: begun, to: stood }) > 1_000, { what: 'it is seen' })
  expect(standstills.told).toMatch(/^This machine stood still: \d{4}-\S+Z for [2-9]\d{3} ms/)
  expect(standstills.within({ from: begun - 60_000, to: begun - 30_000 })).toBe(0)
})
