import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compare } from '../src/balance.ts'
import { type WantedActor, wantedActors } from '../src/wanted.ts'
import { apply, changes, happenings, keys } from './events.ts'
import { World } from './world.ts'

describe('plan', () => {
  test('whatever happens, and however late it is seen: one owner an actor, epochs grow, terms never go back', () => {
    expect.hasAssertions()
    fc.assert(
      fc.property(happenings, events => {
        const world = new World()
        for (const key of keys) world.start(key)
        apply(world, { is: 'route', name: 'a', lanes: 3, version: 0 })
        apply(world, { is: 'route', name: 'k', lanes: 0, version: 0 })
        apply(world, { is: 'partitions', name: 'k', lanes: 3 })
        world.settle()
        for (const event of events) {
          apply(world, event)
          world.checkOwners()
          if (event.is === 'listen') expectServed(world, event.readers)
        }
        world.settle()
        expectSettled(world)
      }),
      { numRuns: 400 },
    )
  })

  test('after each change all is placed, balanced, and no more has moved than balance needs', () => {
    expect.hasAssertions()
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 12 }), events => {
        const world = new World()
        for (const key of keys) world.start(key)
        world.settle()
        for (const event of events) {
          const before = placements(world)
          apply(world, event)
          world.settle()
          expectSettled(world)
          expectFewMoves(world, before)
        }
      }),
      { numRuns: 300 },
    )
  })
})

const services = ['mqtt-ingress', 'kafka-ingress', 'kafka-egress']

/** The actors that each instance runs which can be given actors. */
function placements(world: World): Map<string, Set<string>> {
  const takers = [...world.processes].filter(([, p]) => p.acts && !p.cutOff && p.state === 'running')
  return new Map(takers.map(([key, process]) => [key, new Set(process.runs().map(({ id }) => id))]))
}

function wantedIn(world: World, service: string): WantedActor[] {
  return [...world.routes.values()].flatMap(wantedActors).filter(wanted => wanted.service === service)
}

function expectSettled(world: World): void {
  const leader = world.leaders.at(-1)
  expect(leader === undefined ? 0 : world.act(leader)).toBe(0)
  for (const service of services) {
    const rows = new Map([...placements(world)].filter(([key]) => key.startsWith(service)))
    if (rows.size === 0) continue
    const sizes = [...rows.values()].map(row => row.size)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    const running = [...world.processes.values()].filter(({ key }) => rows.has(key)).flatMap(process => process.runs())
    const wanted = wantedIn(world, service).map(({ actor }) => ({ ...actor, epoch: 0 }))
    expect(byId(running.map(actor => ({ ...actor, epoch: 0 })))).toEqual(byId(wanted))
    if (service === 'kafka-ingress') expectLanesFound(world)
  }
}

/** Whoever reads has all that nobody else shows: a deaf instance keeps nothing waiting but what it runs itself. */
function expectServed(world: World, readers: readonly string[]): void {
  const living = [...world.processes].filter(([, { acts, cutOff }]) => acts && !cutOff)
  for (const service of services) {
    const there = living.filter(([key]) => key.startsWith(service))
    if (!there.some(([key, { state }]) => state === 'running' && readers.includes(key))) continue
    const running = new Set(there.flatMap(([, process]) => process.runs().map(({ id }) => id)))
    expect(wantedIn(world, service).filter(({ actor }) => !running.has(actor.id))).toEqual([])
  }
}

/** Where a lister runs, all that it finds are lanes. */
function expectLanesFound(world: World): void {
  const route = world.routes.get('k')
  if (route?.lister) expect(route.lanes).toEqual(expect.arrayContaining([...(world.partitions.get('k') ?? [])]))
}

function byId<T extends { id: string }>(actors: T[]): T[] {
  return actors.toSorted((a, b) => compare(a.id, b.id))
}

/** Whoever was there before and is there still keeps as much as the fairest shares allow. */
function expectFewMoves(world: World, before: Map<string, Set<string>>): void {
  const after = placements(world)
  for (const service of services) {
    const wanted = wantedIn(world, service).map(({ actor }) => actor.id)
    const there = [...after].filter(([key]) => key.startsWith(service))
    if (there.length === 0) continue
    const had = there.map(([key]) => wanted.filter(id => before.get(key)?.has(id)).length).toSorted((a, b) => b - a)
    const [each, more] = [Math.floor(wanted.length / there.length), wanted.length % there.length]
    const could = had.reduce((sum, count, rank) => sum + Math.min(count, rank < more ? each + 1 : each), 0)
    const kept = there.reduce((sum, [key, ids]) => sum + [...ids].filter(id => before.get(key)?.has(id)).length, 0)
    expect(kept).toBe(could)
  }
}
