import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { publisherId } from '../src/index.ts'

const installation = 'plant'

test("route a with topic b-c and route a-b with topic c do not end each other's connections", () => {
  const ids = [
    { installation, route: 'a', lane: 'b-c/0' },
    { installation, route: 'a-b', lane: 'c/0' },
  ].map(publisherId)
  expect(new Set(ids).size).toBe(2)
})

test('every lane has a client id of its own, of 128 characters at most', () => {
  const route = fc.stringMatching(/^[ab]([ab-]{0,3}[ab])?$/)
  const topic = fc.oneof(fc.stringMatching(/^[ab.-]{1,5}$/), fc.stringMatching(/^a{120}[ab]{5}$/))
  const lane = fc.tuple(topic, fc.integer({ min: 0, max: 11 })).map(([name, partition]) => `${name}/${partition}`)
  const place = fc.record({ installation: fc.constant(installation), route, lane })
  fc.assert(
    fc.property(place, place, (one, other) => {
      const isSame = one.route === other.route && one.lane === other.lane
      expect(publisherId(one) === publisherId(other)).toBe(isSame)
      expect(publisherId(one).length).toBeLessThanOrEqual(128)
    }),
    { numRuns: 2_000 },
  )
})
