import { type AssignmentDocument, type InstanceDocument, LaneReader, readEnd } from '@millrace/bus'
import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { RouteProblems } from '../src/problems.ts'
import { retire } from '../src/retire.ts'
import { hasLane, knownRoutes } from '../src/route-lanes.ts'
import type { Situation } from '../src/situation.ts'
import { wantedActors } from '../src/wanted.ts'
import { Alone } from './alone.ts'
import { append, commit, openSink, openSource, publishAbsurd } from './lane.ts'

noLeaks()

const name = { service: 'mqtt-ingress', route: 'r', lane: '0' } as const

const noRoutes = { installation: 'test', connections: {}, routes: {} }

/** What a leader sees when the sources of `r` say that they have stopped. */
function stopped(routes: Awaited<ReturnType<Alone['routes']>>): Situation {
  const wanted = routes.flatMap(wantedActors)
  const sources = wanted.filter(({ actor }) => actor.role === 'source')
  const actors = sources.map(({ actor }) => ({ ...actor, epoch: 1 }))
  const document: AssignmentDocument = { term: 1, startId: 's', actors }
  const state = 'running' as const
  const heartbeat: InstanceDocument = {
    startId: 's',
    beat: 1,
    version: '1',
    term: 1,
    revision: 1,
    state,
    actors: actors.map(({ id }) => ({ id, epoch: 1, version: 1, state: 'stopped' })),
  }
  return {
    wanted,
    instances: new Map([['mqtt-ingress.i', { presence: 'live', heartbeat }]]),
    documents: new Map([['mqtt-ingress.i', { revision: 1, document }]]),
  }
}

test('a lane that has ended keeps the message at its position, though the last word of its source stands behind it', async () => {
  await using alone = await Alone.open()
  const { bus, store } = alone
  const routes = await alone.routes(['r'], { retiring: ['0'], deleting: true })
  const kept = store.routes.entries.get('current')
  if (kept === undefined) throw new Error('There are no routes.')
  const lane = { uid: 'uid-r', epoch: 1, lane: '0' }
  const source = await openSource(alone.rig, lane)
  await append(source, 5)
  const sequence = (await readEnd(bus, name))?.sequence ?? 0
  await commit(await openSink(alone.rig, lane), sequence, 5)
  await openSource(alone.rig, { ...lane, epoch: 2 })

  expect(await retire({ bus, store, kept, routes, now: stopped(routes), problems: new RouteProblems() })).toBe(true)
  expect((await store.routes.bucket.read('current'))?.value.routes['r']?.retiring).toEqual([])
  const over = new AbortController()
  const options = { bus: alone.rig.bus('kafka-egress'), lane: name, uid: 'uid-r', signal: over.signal }
  const reader = new LaneReader({ ...options, after: { sequence }, base: 5 })
  await reader.waiting(AbortSignal.timeout(5_000))
  expect(reader.take()).toMatchObject({ count: 0, base: 5 })
  over.abort()
})

/** Route r, to be deleted, whose source has stopped; its sink has committed up to here. */
async function ending(alone: Alone, records: number, lanes = ['0']) {
  const { bus, store } = alone
  const routes = await alone.routes(['r'], { retiring: lanes, deleting: true })
  const kept = store.routes.entries.get('current')
  if (kept === undefined) throw new Error('There are no routes.')
  const lane = { uid: 'uid-r', epoch: 1, lane: '0' }
  const source = await openSource(alone.rig, lane)
  await append(source, 5)
  const position = await openSink(alone.rig, lane)
  await commit(position, (await readEnd(bus, name))?.sequence ?? 0, records)
  const problems = new RouteProblems()
  const step = () => retire({ bus, store, kept, routes, now: stopped(routes), problems })
  const retiring = async () => (await store.routes.bucket.read('current'))?.value.routes['r']?.retiring
  return { problems, step, retiring }
}

test('a lane that is an older copy than its position is never taken for delivered', async () => {
  await using alone = await Alone.open()
  const { problems, step, retiring } = await ending(alone, 1_000)
  expect(await step()).toBe(false)
  expect(await retiring()).toEqual(['0'])
  const message = expect.stringMatching(/ending lane 0: .* `millrace delete route r --discard` gives it up/)
  expect(problems.all).toMatchObject([{ route: 'r', lane: '0', code: 'totals_differ', message }])
})

test('the alarm of one lane keeps no other lane from ending, and is forgotten when its lane is gone', async () => {
  await using alone = await Alone.open()
  // Lane 1 was given up before anything was written to it.
  const { problems, step, retiring } = await ending(alone, 1_000, ['0', '1'])
  expect(await step()).toBe(true)
  expect(await retiring()).toEqual(['0'])
  expect(problems.all).toMatchObject([{ lane: '0' }])
  const routes = knownRoutes((await alone.store.routes.bucket.read('current'))?.value ?? noRoutes)
  problems.keepOnly(place => hasLane(routes, place))
  expect(problems.all).toHaveLength(1)
  problems.keepOnly(place =>
    hasLane(
      routes.map(route => ({ ...route, retiring: [] })),
      place,
    ),
  )
  expect(problems.all).toEqual([])
})

test("a stranger's message at the end, which says that the lane is empty, is never taken for delivered", async () => {
  await using alone = await Alone.open()
  const { problems, step, retiring } = await ending(alone, 5)
  await publishAbsurd(alone.rig, 'r')
  expect(await step()).toBe(false)
  expect(await retiring()).toEqual(['0'])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'lane_conflict' }])
})
