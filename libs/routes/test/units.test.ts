import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../src/units.ts'

test('reads durations and sizes with their unit', () => {
  expect(parseDuration('5ms')).toBe(5)
  expect(parseDuration('7d')).toBe(604_800_000)
  expect(parseSize('1GiB')).toBe(1_073_741_824)
  expect(parseSize('0B')).toBe(0)
})

test.each([
  '',
  '5',
  'ms',
  '5 ms',
  '-5ms',
  '+5ms',
  '1.5h',
  '1e3s',
  'NaNms',
  'Infinityd',
  '0x10s',
  '5MS',
  '5__proto__',
  '٣s',
])('refuses %j as a duration', text => expect(parseDuration(text)).toBeUndefined())

test.each(['1GB', '1K', '9007199254740993B', '9007199254740992B', '99999999999999999999B', '8192TiB', '5toString'])(
  'refuses %j as a size',
  text => expect(parseSize(text)).toBeUndefined(),
)

test('reads what it writes', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), value => {
      expect(parseDuration(formatDuration(value))).toBe(value)
      expect(parseSize(formatSize(value))).toBe(value)
    }),
  )
})
