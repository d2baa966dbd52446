import { expect, test } from 'vitest'
import { Histogram } from '../src/index.ts'

test('A quantile is the upper bound of the bucket that it falls into', () => {
  const histogram = new Histogram([1, 2, 3])
  expect(histogram.quantile(0.5)).toBeUndefined()
  histogram.observe(0.5, 98)
  histogram.observe(2.5)
  histogram.observe(9)
  expect([0.5, 0.98, 0.99, 1].map(share => histogram.quantile(share))).toEqual([1, 1, 3, 3])
})

test('A quantile since a snapshot leaves out what was counted before', () => {
  const histogram = new Histogram([1, 2, 3])
  histogram.observe(0.5, 1_000)
  const before = histogram.counts.slice()
  expect(histogram.quantile(0.5, before)).toBeUndefined()
  histogram.observe(1.5)
  expect(histogram.quantile(0.5, before)).toBe(2)
})
