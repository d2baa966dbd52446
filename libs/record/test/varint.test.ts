import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../src/byte-reader.ts'
import { longVarintSize, varintSize, writeLongVarint, writeVarint } from '../src/varint.ts'

const edges = [0, 0x40, 0x2000, 0x10_0000, 2 ** 27, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 34, 2 ** 41, 2 ** 48, 2 ** 53]
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc
    .tuple(fc.constantFrom(...edges), fc.integer({ min: -2, max: 2 }), fc.constantFrom(-1, 1))
    .map(([edge, near, sign]) =>
      Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, sign * (edge + near) + 0)),
    ),
)

/** Zigzag and groups of seven bits, written down as the format's description has them, in 64 bits. */
function expected(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const groups: number[] = []
  for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80)
  return [...groups, Number(rest)]
}

function reading(bytes: number[]): ByteReader {
  const reader = new ByteReader()
  reader.open(Buffer.from(bytes), 0, bytes.length)
  return reader
}

test('every safe integer is written as 64-bit zigzag, in as many bytes as was said, and read back', () => {
  fc.assert(
    fc.property(integer, value => {
      const to = Buffer.alloc(10)
      const end = writeVarint(to, 0, value)
      expect([...to.subarray(0, end)]).toEqual(expected(value))
      expect(varintSize(value)).toBe(end)
      expect(reading(expected(value)).varint()).toBe(value)
    }),
    { numRuns: 2000 },
  )
})

test('every integer of 64 bits is written and read as 64-bit zigzag, in as many bytes as was said', () => {
  const edges = fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n))
  fc.assert(
    fc.property(fc.oneof(edges, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), value => {
      const to = Buffer.alloc(10)
      const end = writeLongVarint(to, 0, value)
      expect([...to.subarray(0, end)]).toEqual(expected(value))
      expect(longVarintSize(value)).toBe(end)
      expect(reading(expected(value)).longVarint()).toBe(value)
    }),
    { numRuns: 2000 },
  )
})

test('a number beyond 2^53 is read as one that is not safe', () => {
  const reader = reading([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
  expect(Number.isSafeInteger(reader.varint())).toBe(false)
})

test.each([
  ['that never ends', Array.from({ length: 11 }, () => 0x80)],
  ['that is cut', [0x80, 0x80]],
  ['without a byte', []],
])('a varint %s is malformed', (_, bytes) => {
  expect(() => reading(bytes).varint()).toThrow(expect.objectContaining({ code: 'malformed' }))
  expect(() => reading(bytes).longVarint()).toThrow(expect.objectContaining({ code: 'malformed' }))
})
