import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { publisherId, subscriberId } from '../src/index.ts'

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

test('a prefix stands in front of every client id, and no two lanes have one id, whatever their prefixes', () => {
  expect(subscriberId({ installation, route: 'a', lane: '0' })).toBe('plant-a-0')
  expect(subscriberId({ clientIdPrefix: 'p', installation, route: 'a', lane: '0' })).toBe('p:plant-a-0')
  expect(publisherId({ clientIdPrefix: 'p', installation, route: 'a', lane: 't/0' })).toBe('p:plant-a.t.0-out')
  const clientIdPrefix = fc.constantFrom(
    undefined,
    'p',
    'plant',
    'plant-a',
    'plant-a.a',
    'p:plant-a',
    ':',
    'p'.repeat(64),
  )
  const route = fc.constantFrom('a', 'a-a', 'plant-a', 'a'.repeat(63))
  const lane = fc.constantFrom('0', '1', 'a/0', 'plant-a.a/0')
  const named = fc.record(
    { clientIdPrefix, route, lane, is: fc.constantFrom('slot', 'lane') },
    { noNullPrototype: true },
  )
  const idOf = ({ is, ...name }: { is: string; clientIdPrefix: string | undefined; route: string; lane: string }) =>
    (is === 'slot' ? subscriberId : publisherId)({ installation, ...name })
  fc.assert(
    fc.property(named, named, (one, other) => {
      expect(idOf(one) === idOf(other)).toBe(isDeepStrictEqual(one, other))
      expect(idOf(one).length).toBeLessThanOrEqual(128)
    }),
    { numRuns: 2_000 },
  )
})
