import type { RoutesDocument } from '@millrace/bus'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { applied, deleted, removed, retired } from '../src/apply.ts'
import { knownRoutes } from '../src/route-lanes.ts'
import { connections, route } from './rig.ts'

const empty: RoutesDocument = { installation: 'test', connections: {}, routes: {} }

let uids = 0
const newUid = () => `uid-${(uids += 1)}`

function document(result: ReturnType<typeof applied>): RoutesDocument {
  if ('problem' in result) throw new Error(result.problem.message)
  return result.document
}

/** Fails where it is refused. */
const apply = (before: RoutesDocument, routes: Record<string, object>) =>
  document(applied(before, { connections, routes }, newUid))
const erase = (before: RoutesDocument, name: string, discard = false) =>
  document(deleted(before, { routes: [name], connections: [], discard }))

test('an apply that changes nothing makes the same document', () => {
  const once = apply(empty, { r: route(2) })
  expect(apply(once, { r: route(2) })).toEqual(once)
})

test('slots that are given up retire, and those that come back retire no more', () => {
  const four = apply(empty, { r: route(4) })
  const one = apply(four, { r: route(1) })
  expect(one.routes['r']).toMatchObject({ version: 2, retiring: ['1', '2', '3'] })
  const three = apply(retired(one, 'r', '2'), { r: route(3) })
  expect(three.routes['r']).toMatchObject({ version: 3, retiring: ['3'] })
})

test('a connection goes with the last of the deleted routes that need it', () => {
  const two = apply(empty, { r: route(1), s: route(1) })
  expect(deleted(two, { routes: ['r'], connections: ['lake'], discard: false })).toMatchObject({
    problem: { code: 'in_use', message: expect.stringContaining('route s') },
  })
  const going = document(deleted(two, { routes: ['r', 's'], connections: ['lake'], discard: false }))
  expect(Object.keys(going.connections)).toEqual(['plant', 'lake'])
  expect(Object.keys(removed(going, 'r').connections)).toEqual(['plant', 'lake'])
  expect(Object.keys(removed(removed(going, 'r'), 's').connections)).toEqual(['plant'])
})

test('a route that is being deleted can not be applied: its uid never comes back to life', () => {
  const going = erase(apply(empty, { r: route(1) }), 'r')
  const again = applied(going, { connections, routes: { r: route(2) } }, newUid)
  expect(again).toMatchObject({ problem: { code: 'deleting', message: expect.stringContaining('Route r') } })
  expect(apply(removed(going, 'r'), { r: route(1) }).routes['r']?.uid).not.toBe(going.routes['r']?.uid)
})

test('deleting again changes nothing, unless it is to be discarded now', () => {
  const going = erase(apply(empty, { r: route(2) }), 'r')
  expect(going.routes['r']).toMatchObject({ deleting: true, retiring: ['0', '1'] })
  expect(erase(retired(going, 'r', '0'), 'r').routes['r']?.retiring).toEqual(['1'])
  expect(erase(going, 'r', true).routes['r']?.retiring).toEqual([])
})

const name = fc.constantFrom('r', 's')
const steps = fc.array(
  fc.oneof(
    fc.record({ is: fc.constant('apply' as const), name, lanes: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ is: fc.constant('delete' as const), name }),
    fc.record({ is: fc.constant('retired' as const), name, lane: fc.constantFrom('0', '1', '2', '3') }),
    fc.record({ is: fc.constant('removed' as const), name }),
  ),
  { maxLength: 30 },
)

type Step = { name: string } & (
  | { is: 'apply'; lanes: number }
  | { is: 'retired'; lane: string }
  | { is: 'delete' | 'removed' }
)

/** What the leader would do: it removes a route only when no lane of it retires any more. */
function after(before: RoutesDocument, step: Step): RoutesDocument {
  const kept = before.routes[step.name]
  if (step.is === 'apply') {
    const result = applied(before, { connections, routes: { [step.name]: route(step.lanes) } }, newUid)
    return 'problem' in result && kept?.deleting === true ? before : document(result)
  }
  if (step.is === 'retired') return retired(before, step.name, step.lane)
  if (step.is === 'delete') return kept === undefined ? before : erase(before, step.name)
  return kept?.deleting === true && kept.retiring?.length === 0 ? removed(before, step.name) : before
}

test('no lane that was ever wanted is left without an end, and no other route changes', () => {
  expect.hasAssertions()
  fc.assert(
    fc.property(steps, all => {
      let now = empty
      const unfinished = new Map<string, Set<string>>()
      for (const step of all) {
        const before = now
        now = after(before, step)
        const other = step.name === 'r' ? 's' : 'r'
        expect(now.routes[other]).toEqual(before.routes[other])
        expect(now.routes[step.name]?.version ?? 1e9).toBeGreaterThanOrEqual(before.routes[step.name]?.version ?? 1)
        const kept = before.routes[step.name]
        if (step.is === 'retired' && kept?.retiring?.includes(step.lane)) unfinished.get(kept.uid)?.delete(step.lane)
        for (const { uid, lanes, retiring } of knownRoutes(now)) {
          const lived = unfinished.get(uid) ?? new Set()
          unfinished.set(uid, lived)
          for (const lane of lanes) lived.add(lane)
          expect([...lanes, ...retiring].toSorted()).toEqual([...lived].toSorted())
        }
      }
    }),
  )
})
