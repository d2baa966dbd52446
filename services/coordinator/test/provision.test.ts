import { dataStream } from '@millrace/bus'
import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { RouteProblems } from '../src/problems.ts'
import { Provision } from '../src/provision.ts'
import { knownRoutes } from '../src/route-lanes.ts'
import { Alone } from './alone.ts'
import { append, openSource } from './lane.ts'
import { connections, route } from './rig.ts'

noLeaks()

test('the alarm of one route is told, and the lanes of the others are made ready', async () => {
  await using alone = await Alone.open()
  const { bus, store } = alone
  await bus.jsm.streams.add({ name: dataStream('r'), subjects: ['mr.d.*.r.*'], metadata: { uid: 'of-another' } })
  const routes = {
    r: { uid: 'uid-r', version: 1, spec: route(1) },
    s: { uid: 'uid-s', version: 1, spec: route(1) },
  }
  const known = knownRoutes({ installation: 'test', connections, routes })
  const problems = new RouteProblems()
  const provision = new Provision(bus, store, 1)
  await provision.prepareAll(known, problems)
  expect(known.map(route => provision.isReady(route, '0'))).toEqual([false, true])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'stream_replaced' }])
})

test('the alarm of one lane is told, and the lanes behind it are made ready', async () => {
  await using alone = await Alone.open()
  const { bus, store } = alone
  const routes = { r: { uid: 'uid-r', version: 1, spec: route(3) } }
  const [known] = knownRoutes({ installation: 'test', connections, routes })
  if (known === undefined) throw new Error('no route')
  const problems = new RouteProblems()
  await new Provision(bus, store, 1).prepareAll([{ ...known, lanes: [] }], problems)
  await append(await openSource(alone.rig, { uid: 'uid-r', epoch: 1, lane: '1' }), 3)
  const provision = new Provision(bus, store, 1)
  await provision.prepareAll([known], problems)
  expect(known.lanes.map(it => provision.isReady(known, it))).toEqual([true, false, true])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'position_missing' }])
})
