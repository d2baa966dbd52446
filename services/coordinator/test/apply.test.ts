import type { RoutesDocument } from '@millrace/bus'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applied, deleted, extended, removed, retired } from '../src/apply.ts'
import { knownRoutes, wantedLanes } from '../src/route-lanes.ts'
import { connections, listedRoute, route } from './rig.ts'

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

test('a circle that two applies make is refused, whichever of its routes comes last, and the first one stays', () => {
  const hop = (from: string, to: string) => ({ ...listedRoute(from), sink: { connection: 'lake', topic: to } })
  const there = apply(empty, { there: hop('a', 'b') })
  const back = applied(there, { connections, routes: { back: hop('b', 'a') } }, newUid)
  expect(back).toMatchObject({
    problem: { code: 'invalid', message: expect.stringContaining('comes back to it for ever: back -> there -> back') },
  })
  // So does a connection that turns out to be the same cluster.
  const far = { ...connections, far: { kafka: { brokers: ['far:9092'] } } }
  const apart = document(
    applied(
      there,
      { connections: far, routes: { back: { ...hop('b', 'a'), sink: { connection: 'far', topic: 'a' } } } },
      newUid,
    ),
  )
  expect(applied(apart, { connections: { far: connections.lake }, routes: {} }, newUid)).toMatchObject({
    problem: { code: 'invalid', message: expect.stringContaining('there -> back -> there') },
  })
})

test('slots that are given up retire, and those that come back retire no more', () => {
  const four = apply(empty, { r: route(4) })
  const one = apply(four, { r: route(1) })
  expect(one.routes['r']).toMatchObject({ version: 2, retiring: ['1', '2', '3'] })
  const three = apply(retired(one, 'r', '2'), { r: route(3) })
  expect(three.routes['r']).toMatchObject({ version: 3, retiring: ['3'] })
})

describe('a route that reads Kafka', () => {
  const listed = extended(apply(empty, { k: listedRoute('a', '/b.*/') }), 'k', ['a/0', 'a/1', 'bb/0'])

  test('has the lanes that were found, whatever else of it changes', () => {
    expect(apply(listed, { k: { ...listedRoute('a', '/b.*/'), filter: 'true' } }).routes['k']).toMatchObject({
      version: 2,
      lanes: ['a/0', 'a/1', 'bb/0'],
      retiring: [],
    })
    expect(knownRoutes(listed)).toMatchObject([{ lister: true, source: 'kafka-ingress', sink: 'kafka-egress' }])
  })

  test('has no lanes, not even none, until some were found', () => {
    const never = apply(apply(empty, { k: listedRoute('a') }), { k: listedRoute('a', 'b') })
    expect(never.routes['k']).not.toHaveProperty('lanes')
  })

  test('retires the partitions of topics that it reads no more; those that come back retire no more', () => {
    const less = apply(listed, { k: listedRoute('a') })
    expect(less.routes['k']).toMatchObject({ lanes: ['a/0', 'a/1'], retiring: ['bb/0'] })
    const other = apply(less, { k: listedRoute('bb') })
    expect(other.routes['k']).toMatchObject({ lanes: ['bb/0'], retiring: ['a/0', 'a/1'] })
  })

  test('retires all of them, and needs no lister any more, when it is deleted', () => {
    const going = erase(listed, 'k')
    expect(going.routes['k']).toMatchObject({ deleting: true, retiring: ['a/0', 'a/1', 'bb/0'] })
    expect(knownRoutes(going)).toMatchObject([{ lister: false, lanes: [] }])
  })
})

test.each([
  ['source', { source: { connection: 'lake', topics: ['a'] } }],
  ['sink', { sink: { connection: 'plant', topic: 'b' } }],
])('the %s of a route keeps its protocol: its lanes, or its positions, would be another service’s', (_, end) => {
  const before = apply(empty, { r: route(1) })
  expect(applied(before, { connections, routes: { r: { ...route(1), ...end } } }, newUid)).toMatchObject({
    problem: { code: 'protocol_changed' },
  })
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
  const discarded = erase(going, 'r', true)
  expect(discarded.routes['r']).toMatchObject({ discard: true, retiring: ['0', '1'] })
  expect(erase(apply(empty, { r: route(2) }), 'r', true)).toMatchObject({
    routes: { r: { deleting: true, discard: true, retiring: ['0', '1'] } },
  })
  // Whoever asks twice waits for no session.
  expect(erase(discarded, 'r', true).routes['r']?.retiring).toEqual([])
})

describe('the broker that a route reads', () => {
  const before = apply(empty, { r: route(1), s: { ...route(1), source: { connection: 'plant', topics: ['s'] } } })
  const at = (url: string, more: object = {}) => ({ plant: { mqtt: { url, ...more } } })
  const change = (connections: object, routes: object = {}) =>
    applied(before, { connections: { ...connections }, routes: { ...routes } }, newUid)

  test.each([
    ['another host', at('mqtt://elsewhere:1883')],
    ['another port', at('mqtt://127.0.0.1:1884')],
    ['the port of TLS', at('mqtts://127.0.0.1')],
    ['another client id', at('mqtt://127.0.0.1', { clientIdPrefix: 'p' })],
  ])('is not changed under it, for its session may hold messages: %s', (_, connections) => {
    expect(change(connections)).toMatchObject({
      problem: { code: 'source_changed', message: expect.stringContaining('Route r, s would read another broker') },
    })
  })

  test('is not changed by naming another connection either; a deleted route drains its session still', () => {
    const other = { other: { mqtt: { url: 'mqtt://elsewhere' } } }
    const moved = { r: { ...route(1), source: { connection: 'other', topics: ['a/#'] } } }
    expect(change(other, moved)).toMatchObject({
      problem: { code: 'source_changed', message: expect.stringContaining('Route r would') },
    })
    const going = erase(apply(empty, { r: route(1) }), 'r')
    expect(applied(going, { connections: at('mqtt://elsewhere'), routes: {} }, newUid)).toMatchObject({
      problem: { code: 'source_changed' },
    })
  })

  test('may be reached in another way, and a route may be new or read nothing of a changed connection', () => {
    const tls = { tls: { servername: 'broker' }, auth: { password: { secretName: 'p' } }, keepAlive: '5s' }
    expect(document(change(at('mqtts://127.0.0.1:1883', tls))).routes['r']?.version).toBe(2)
    const same = { other: { mqtt: { url: 'mqtt://127.0.0.1' } } }
    expect(change(same, { r: { ...route(1), source: { connection: 'other', topics: ['a/#'] } } })).toHaveProperty(
      'document',
    )
    const lake = { lake: { kafka: { brokers: ['elsewhere:9092'] } } }
    expect(document(change(lake, { t: route(1) })).routes['r']?.version).toBe(2)
  })
})

describe('what is kept and can not be read', () => {
  const good = apply(empty, { r: route(1) })
  const broken = { uid: 'broken', version: 3, spec: { sink: 'of a later version' } }
  const before = {
    ...good,
    connections: { ...good.connections, odd: { carrier: 'pigeon' } },
    routes: { ...good.routes, broken },
  }

  test('stays as it is, and stands in the way of no other route', () => {
    const after = apply(before, { r: route(2), s: route(1) })
    expect(after.routes).toMatchObject({ r: { version: 2 }, s: { version: 1 } })
    expect(after.routes['broken']).toEqual(broken)
    expect(after.connections['odd']).toEqual({ carrier: 'pigeon' })
  })

  test('is refused where an apply names it, or would break what was right', () => {
    const named = applied(before, { connections: {}, routes: { broken: { ...route(1), colour: 1 } } }, newUid)
    expect(named).toMatchObject({ problem: { code: 'invalid', message: expect.stringContaining('colour') } })
    const without = applied(before, { connections: { lake: { mqtt: { url: 'mqtt://h' } } }, routes: {} }, newUid)
    expect(without).toMatchObject({ problem: { code: 'invalid', message: expect.stringContaining('Route r') } })
    expect(apply(before, { broken: route(1) }).routes['broken']).toMatchObject({ uid: 'broken', version: 4 })
  })
})

/** `k` reads Kafka: of so many topics `lanes`, and its lister finds two partitions of each. */
const name = fc.constantFrom('r', 's', 'k')
const steps = fc.array(
  fc.oneof(
    fc.record({ is: fc.constant('apply' as const), name, lanes: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ is: fc.constant('delete' as const), name }),
    fc.record({ is: fc.constant('found' as const), name: fc.constant('k') }),
    fc.record({ is: fc.constant('retired' as const), name, lane: fc.constantFrom('0', '1', '2', '3', 't0/0', 't2/1') }),
    fc.record({ is: fc.constant('removed' as const), name }),
  ),
  { maxLength: 30 },
)

type Step = { name: string } & (
  | { is: 'apply'; lanes: number }
  | { is: 'retired'; lane: string }
  | { is: 'delete' | 'removed' | 'found' }
)

const topics = ['t0', 't1', 't2', 't3']

function found(before: RoutesDocument): RoutesDocument {
  const route = knownRoutes(before).find(({ lister }) => lister)
  if (route === undefined) return before
  const lanes = wantedLanes(
    route.spec,
    topics.flatMap(topic => [`${topic}/0`, `${topic}/1`]),
  )
  const known = [...route.lanes, ...route.retiring]
  return extended(
    before,
    'k',
    lanes.filter(lane => !known.includes(lane)),
  )
}

/** What the leader would do: it removes a route only when no lane of it retires any more. */
function after(before: RoutesDocument, step: Step): RoutesDocument {
  const kept = before.routes[step.name]
  if (step.is === 'apply') {
    const spec = step.name === 'k' ? listedRoute(...topics.slice(0, step.lanes)) : route(step.lanes)
    const result = applied(before, { connections, routes: { [step.name]: spec } }, newUid)
    return 'problem' in result && kept?.deleting === true ? before : document(result)
  }
  if (step.is === 'found') return found(before)
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
        const others = ['r', 's', 'k'].filter(name => name !== step.name)
        for (const other of others) expect(now.routes[other]).toEqual(before.routes[other])
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
