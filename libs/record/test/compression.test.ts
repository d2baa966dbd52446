/** Snappy and LZ4 as others write them; batches of them are in batch.test.ts, and bad ones in hostile.test.ts. */
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decompressLz4 } from '../src/lz4.ts'
import { decompressSnappy } from '../src/snappy.ts'

const limit = 8 << 20
/** From what can't be compressed to long repetitions. */
const data = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 3000 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map(parts => Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))))

/** As the Java library writes snappy: a magic, two versions, and blocks with their size in front. */
function framed(blocks: readonly Buffer[]): Buffer {
  const sized = blocks.flatMap(block => [int32(block.length), block])
  return Buffer.concat([Buffer.from('\x82SNAPPY\0', 'latin1'), int32(1), int32(1), ...sized])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

test('what another implementation compresses is read, also where it is exactly as large as the limit', () => {
  fc.assert(
    fc.property(data, bytes => {
      expect(decompressSnappy(snappyCompress(bytes), bytes.length).equals(bytes)).toBe(true)
      expect(decompressLz4(lz4Compress(bytes), bytes.length).equals(bytes)).toBe(true)
    }),
  )
})

test('snappy in the frame of the Java library is read, block after block', () => {
  fc.assert(
    fc.property(fc.array(data, { maxLength: 3 }), blocks => {
      const whole = Buffer.concat(blocks)
      expect(decompressSnappy(framed(blocks.map(block => snappyCompress(block))), limit).equals(whole)).toBe(true)
    }),
  )
})

test('what is larger than the limit is refused, however much larger', () => {
  fc.assert(
    fc.property(data, fc.nat(), (bytes, below) => {
      const tooLarge = expect.objectContaining({ code: 'too_large' })
      const less = below % bytes.length
      expect(() => decompressSnappy(snappyCompress(bytes), less)).toThrow(tooLarge)
      expect(() => decompressLz4(lz4Compress(bytes), less)).toThrow(tooLarge)
    }),
  )
})

/** `lz4 -9 -B4 -BD -BX --content-size` of "ab" 70,000 times: linked blocks of 64 KB, and everything optional. */
const linked = Buffer.from(
  `04224d185c40e0220200000000004f0c0100002f61620200${'ff'.repeat(256)}e65062616261621af884290a0100000f0400` +
    `${'ff'.repeat(256)}e8506261626162774202a82c0000000f0400${'ff'.repeat(34)}ea506261626162a81d98a6000000002821da61`,
  'hex',
)

test('an LZ4 frame with linked blocks, content size and checksums is read', () => {
  expect(decompressLz4(linked, limit).toString()).toBe('ab'.repeat(70_000))
})

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

test.each([
  ['nothing', ''],
  ['another magic', '05224d18 604082 00000000'],
  ['another version', '04224d18 204082 00000000'],
  ['a dictionary', '04224d18 614082 01000000 00000000'],
  ['no end', '04224d18 604082 03000080 616263'],
  ['a block longer than the frame', '04224d18 604082 30000000 30616263 00000000'],
  ['a stored block longer than the frame', '04224d18 604082 ff000080 616263 00000000'],
  ['literals longer than the block', '04224d18 604082 04000000 f0616263 00000000'],
  ['a copy of nothing', '04224d18 604082 05000000 1061040000 00000000'],
  ['a copy from 0 back', '04224d18 604082 05000000 1061000000 00000000'],
  ['a block that ends with a copy', '04224d18 604082 04000000 10610100 00000000'],
  ['a length that never ends', '04224d18 604082 05000000 f0ffffffff 00000000'],
  ['bytes behind it', '04224d18 604082 03000080 616263 00000000 00'],
])('an LZ4 frame with %s is malformed', (_, frame) => {
  expect(decompressLz4(hex('04224d18 604082 03000080 616263 04000000 30616263 00000000'), limit).toString()).toBe(
    'abcabc',
  )
  expect(() => decompressLz4(hex(frame), limit)).toThrow(expect.objectContaining({ code: 'malformed' }))
})

test.each([
  ['nothing', ''],
  ['a size that never ends', 'ffffffffffff'],
  ['fewer bytes than it says', '04 08616263'],
  ['more bytes than it says', '02 08616263'],
  ['literals beyond its end', '0a 24616263'],
  ['a copy of what is not there', '04 01ff'],
  ['a copy from 0 back', '08 0861626305 00'],
  ['a copy that is cut', '08 0861626306'],
  ['a length that is cut', 'ff7f f4ff'],
])('snappy with %s is malformed, framed or not', (_, block) => {
  const malformed = expect.objectContaining({ code: 'malformed' })
  expect(decompressSnappy(hex('07 08616263 0103'), limit).toString()).toBe('abcabca')
  expect(() => decompressSnappy(hex(block), limit)).toThrow(malformed)
  expect(() => decompressSnappy(framed([snappyCompress(Buffer.from('good')), hex(block)]), limit)).toThrow(malformed)
})

test('a snappy frame that is cut is malformed', () => {
  const frame = framed([snappyCompress(Buffer.from('good'))])
  for (let cut = 1; cut < frame.length - 16; cut++) {
    expect(() => decompressSnappy(frame.subarray(0, -cut), limit)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  }
})
