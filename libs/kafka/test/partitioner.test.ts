import * as fc from 'fast-check'
import { type Message, Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { murmur2, partitionOfKey, partitionOfLane } from '../src/partitioner.ts'

// From UtilsTest.java of Kafka.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what Java says', (text, hash) => {
  const bytes = Buffer.from(`--${text}--`)
  expect(murmur2(bytes, 2, bytes.length - 2)).toBe(hash)
})

test('a key goes where kafkajs puts it, whatever its bytes', () => {
  const theirs = Partitioners.DefaultPartitioner()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (bytes, count) => {
      const key = Buffer.from(bytes)
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => {
        return { partitionId, leader: 1, partitionErrorCode: 0, replicas: [], isr: [] }
      })
      const message: Message = { key, value: null }
      expect(partitionOfKey(key, 0, key.length, count)).toBe(theirs({ topic: 't', partitionMetadata, message }))
    }),
  )
})

test('a lane has its number, or one made of its name', () => {
  expect([partitionOfLane('0', 4), partitionOfLane('7', 4), partitionOfLane('12', 5)]).toEqual([0, 3, 2])
  expect(partitionOfLane('foobar', 1000)).toBe((-790332482 & 0x7fffffff) % 1000)
})

test('the lanes of Kafka partitions keep their numbers: they were folded together by their names', () => {
  const lanes = Array.from({ length: 6 }, (_, partition) => `plant-1/${partition}`)
  expect(lanes.map(lane => partitionOfLane(lane, 6))).toEqual([0, 1, 2, 3, 4, 5])
  expect([partitionOfLane('t/12', 5), partitionOfLane('t/x1', 1000)]).toEqual([2, partitionOfLane('t/x1', 1000)])
})
