import { expect, test } from 'vitest'
import { mostActors, share } from '../src/balance.ts'
import { overflowing, type Situation } from '../src/situation.ts'
import { wantedActors } from '../src/wanted.ts'

const ids = Array.from({ length: 2 * mostActors + 500 }, (_, index) => `actor-${String(index).padStart(4, '0')}`)
const anywhere = () => true

function sizes(placed: ReadonlyMap<string, string>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(Object.groupBy(placed.values(), key => key)).map(([key, all]) => [key, all!.length]),
  )
}

test('an instance gets as many actors as fit into its document, and the others wait for another one', () => {
  const full = share(ids, ['a', 'b'], new Map(), anywhere)
  expect(sizes(full)).toEqual({ a: mostActors, b: mostActors })
  const again = share(ids, ['a', 'b'], full, anywhere)
  expect(again).toEqual(full)
  const more = share(ids, ['a', 'b', 'c'], full, anywhere)
  expect(sizes(more)).toEqual({ a: 834, b: 833, c: 500 })
})

test('a service whose instances are full is told, with what has no place', () => {
  const lanes = ids.map(id => `t/${id}`)
  const route = { name: 'k', uid: 'u', version: 1, source: 'kafka-ingress', sink: 'kafka-egress', lanes, retiring: [] }
  const heartbeat = { startId: 's', beat: 1, version: '1', term: 1, revision: 1, state: 'running' as const, actors: [] }
  const live = { presence: 'live' as const, heartbeat }
  const now = (...keys: string[]): Situation => ({
    wanted: wantedActors(route),
    instances: new Map(keys.map(key => [key, live])),
    documents: new Map(),
  })
  expect(overflowing(now('kafka-ingress.a', 'kafka-ingress.b', 'kafka-egress.a'))).toEqual([
    ['kafka-ingress', 500],
    ['kafka-egress', mostActors + 500],
  ])
  expect(overflowing(now('kafka-ingress.a', 'kafka-ingress.b', 'kafka-ingress.c'))).toEqual([])
})
