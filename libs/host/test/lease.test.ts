import { expect, test } from 'vitest'
import { Lease } from '../src/lease.ts'

test('nothing may be written before the first heartbeat is stored', () => {
  const lease = new Lease(0, 0)
  expect(lease.held(1)).toBe(false)
  expect(lease.fresh(1)).toBe(false)
})

test('the lease runs from when the stored heartbeat was sent, and ends 4 s later', () => {
  const lease = new Lease(10_000, 10_000)
  lease.stored(10_000)
  lease.tick(13_999, 13_999)
  lease.checked(13_999)
  expect(lease.held(13_999)).toBe(true)
  expect(lease.held(14_000)).toBe(false)
  expect(lease.fresh(14_000)).toBe(false)
})

test('a heartbeat that was stored late does not take the lease back', () => {
  const lease = new Lease(0, 0)
  lease.stored(2_000)
  lease.stored(1_000)
  expect(lease.held(5_999)).toBe(true)
})

test('a pause longer than a third of the lease is seen at once, before any timer has run', () => {
  const lease = new Lease(0, 0)
  lease.stored(0)
  expect(lease.fresh(1_666)).toBe(true)
  expect(lease.fresh(1_667)).toBe(false)
})

test('after a pause only an assignment that was asked for after it makes it fresh again', () => {
  const lease = new Lease(0, 0)
  lease.stored(0)
  lease.tick(2_000, 2_000)
  lease.checked(1_999)
  expect(lease.fresh(2_001)).toBe(false)
  lease.checked(2_000)
  expect(lease.fresh(2_001)).toBe(true)
})

test('ticks in time leave it fresh', () => {
  const lease = new Lease(0, 0)
  for (let now = 0; now <= 60_000; now += 250) {
    lease.tick(now, now)
    lease.stored(now)
    expect(lease.fresh(now + 240)).toBe(true)
  }
})

test('a machine that was suspended is seen by its wall clock, though the monotonic one stood still', () => {
  const lease = new Lease(0, 1_000_000)
  lease.stored(0)
  expect(lease.tick(250, 1_000_250)).toBe(false)
  expect(lease.tick(500, 1_060_500)).toBe(true)
  expect(lease.fresh(500)).toBe(false)
  lease.checked(500)
  expect(lease.fresh(501)).toBe(true)
  expect(lease.tick(750, 1_060_750)).toBe(false)
})
