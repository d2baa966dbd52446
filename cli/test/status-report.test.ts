import type { ActorReport, InstanceDocument } from '@millrace/bus'
import { readDocuments, storedRoute } from '@millrace/routes'
import { expect, test } from 'vitest'
import type { Snapshot } from '../src/snapshot.ts'
import { reportStatus } from '../src/status-report.ts'
import { renderStatus } from '../src/status-text.ts'

const documents = `{apiVersion: millrace.dev/v1, kind: Connection, metadata: {name: m}, spec: {mqtt: {url: 'mqtt://h'}}}
---
{apiVersion: millrace.dev/v1, kind: Connection, metadata: {name: k}, spec: {kafka: {brokers: ['h:1']}}}
---
{apiVersion: millrace.dev/v1, kind: Route, metadata: {name: r}, spec: {source: {connection: m, topics: [a]}, sink: {connection: k, topic: t}}}`

const { connections, routes } = readDocuments([{ file: 'f', text: documents }])
const specs = Object.fromEntries(routes.map(route => [route.name, { uid: 'u', version: 1, spec: storedRoute(route) }]))

const actor = (id: string, counts: Record<string, number>): ActorReport => ({
  id,
  epoch: 1,
  version: 1,
  state: 'running',
  counts,
})

const instance = (beat: number, actors: ActorReport[], startId = 's'): InstanceDocument => {
  return { startId, beat, version: '1', term: 1, revision: 1, state: 'running', actors }
}

function snapshot(at: number, instances: Record<string, InstanceDocument>): Snapshot {
  return {
    at,
    leader: { instance: '1', startId: 's', term: 2, beat: 1 },
    routes: {
      connections: new Map(connections.map(one => [one.name, one])),
      routes: new Map(routes.map(one => [one.name, one])),
      problems: [],
      revision: 3,
      document: { installation: 'i', connections: {}, routes: specs },
    },
    instances: new Map(Object.entries(instances)),
    positions: new Map(),
  }
}

const safe = { replicas: 3, syncAlways: 'unknown' } as const

test('rates are what was counted between the two looks, over all instances', () => {
  const before = snapshot(1000, {
    'mqtt-ingress.a': instance(1, [actor('source.r.0', { in: 100 })]),
    'mqtt-ingress.b': instance(1, [actor('source.r.1', { in: 50 }), actor('source.other.0', { in: 0 })]),
  })
  const after = snapshot(3000, {
    'mqtt-ingress.a': instance(2, [actor('source.r.0', { in: 300 })]),
    'mqtt-ingress.b': instance(2, [actor('source.r.1', { in: 150 }), actor('source.other.0', { in: 999 })]),
  })
  expect(reportStatus(before, after, safe).routes).toMatchObject([{ name: 'r', in: 150, out: 0 }])
})

test('a process that began anew between the looks has counted from 0', () => {
  const before = snapshot(0, { 'kafka-egress.a': instance(9, [actor('sink.r.0', { out: 1000 })]) })
  const after = snapshot(1000, { 'kafka-egress.a': instance(1, [actor('sink.r.0', { out: 40, pending: 5 })], 'new') })
  expect(reportStatus(before, after, safe)).toMatchObject({
    routes: [{ out: 40, pending: 5 }],
    instances: [{ name: 'kafka-egress.a', state: 'running' }],
  })
})

test('what nobody runs is told', () => {
  const beats = (beat: number) => ({
    'mqtt-ingress.a': instance(beat, [actor('source.r.0', { in: 1, refused: 4 })]),
    'coordinator.a': instance(beat, [actor('coordinator', {})]),
  })
  const report = reportStatus(snapshot(0, beats(1)), snapshot(1000, beats(2)), safe)
  expect(report).toMatchObject({
    routes: [{ refused: 4 }],
    lanes: [{ id: 'source.r.0' }],
    instances: [
      { name: 'coordinator.a', lanes: 0 },
      { name: 'mqtt-ingress.a', lanes: 1 },
    ],
    problems: ['r: nobody runs its sink; is there an instance of its service, running and not draining?'],
  })
})

test('of what a coordinator tells, each problem is a line of its own', () => {
  const problem = { code: 'lane_conflict', message: 'Route r: one.\nRoute s: two.' }
  const holding = { ...actor('coordinator', {}), state: 'holding' as const, problem }
  const beats = (beat: number) => ({ 'coordinator.1': instance(beat, [holding]) })
  const { problems } = reportStatus(snapshot(0, beats(1)), snapshot(1000, beats(2)), safe)
  expect(problems).toEqual(expect.arrayContaining(['coordinator.1: Route r: one.', 'coordinator.1: Route s: two.']))
})

test('a leader that is silent is told', () => {
  const beats = { 'coordinator.1': instance(9, [actor('coordinator', {})]) }
  const { problems } = reportStatus(snapshot(0, beats), snapshot(1000, beats), safe)
  expect(problems[0]).toContain('coordinator.1 leads, and is silent')
})

test('of a route that is thrown away nobody misses the sink', () => {
  const there = snapshot(0, {})
  const document = { ...there.routes.document, routes: { r: { ...specs['r']!, deleting: true, discard: true } } }
  const { problems } = reportStatus(there, { ...there, routes: { ...there.routes, document } }, safe)
  expect(problems).toEqual([expect.stringContaining('nobody runs its source')])
})

test('of a route that reads Kafka the lister is missed first, then its partitions, then their sides', () => {
  const listed = readDocuments([
    { file: 'f', text: documents.replace('source: {connection: m', 'source: {connection: k') },
  ])
  const problemsWith = (actors: ActorReport[], lanes: string[]) => {
    const there = snapshot(0, {})
    const document = { ...there.routes.document, routes: { r: { ...specs['r']!, lanes } } }
    const routes = { ...there.routes, routes: new Map(listed.routes.map(one => [one.name, one])), document }
    const look = (beat: number) => ({
      ...there,
      routes,
      instances: new Map([['kafka-ingress.a', instance(beat, actors)]]),
    })
    return reportStatus(look(1), look(2), safe).problems
  }
  const lister = actor('lister.r.lister', {})
  expect(problemsWith([], [])).toEqual([expect.stringContaining('r: nobody runs its lister')])
  expect(problemsWith([lister], [])).toEqual(['r: its source has no partitions yet; are its topics there?'])
  expect(problemsWith([lister, actor('source.r.a/0', {})], ['a/0'])).toEqual([
    expect.stringContaining('r: nobody runs its sink'),
  ])
  const problem = { code: 'broker_unreachable', message: 'No broker of r answers.' }
  expect(problemsWith([{ ...lister, state: 'holding', problem }], [])[0]).toBe(
    'kafka-ingress.a: No broker of r answers.',
  )
})

test('what running sinks have found of their end lowers the guarantee, whatever else they say', () => {
  const lowers = [{ code: 'no_fence', message: 'No transactional ids.' }]
  const problem = { code: 'broker_unreachable', message: 'No answer.' }
  const sink: ActorReport = { ...actor('sink.r.0', {}), state: 'holding', problem, lowers }
  const look = (beat: number, ...actors: ActorReport[]) =>
    snapshot(beat * 1000, { 'kafka-egress.a': instance(beat, actors) })
  const fallen = reportStatus(look(1), look(2, sink, { ...sink, id: 'sink.r.1' }), safe)
  expect(fallen.routes).toMatchObject([{ guarantee: 'at-least-once', lowered: ['No transactional ids.'] }])
  expect(renderStatus(fallen)).toMatch(/^r is at-least-once: No transactional ids\.$/m)
  const risen = reportStatus(look(1), look(2, actor('sink.r.0', {})), safe)
  expect(risen.routes).toMatchObject([{ guarantee: 'at-least-once', lowered: [] }])
})

test('what a silent instance said last does not count', () => {
  const beats = { 'kafka-egress.a': instance(9, [actor('sink.r.0', { out: 10, pending: 7 })]) }
  const report = reportStatus(snapshot(0, beats), snapshot(1000, beats), safe)
  expect(report).toMatchObject({ instances: [{ state: 'silent' }], lanes: [], routes: [{ pending: 0 }] })
})

test('an instance’s name is shown as it was given', () => {
  const beats = (beat: number) => ({ 'kafka-egress.host=2E1': instance(beat, []) })
  const report = reportStatus(snapshot(0, beats(1)), snapshot(1000, beats(2)), safe)
  expect(report.instances.map(({ name }) => name)).toEqual(['kafka-egress.host.1'])
})

test('no leader and no routes are said, with what to do', () => {
  const empty = { ...snapshot(0, {}), leader: undefined }
  const page = renderStatus(reportStatus(empty, { ...empty, routes: { ...empty.routes, routes: new Map() } }, safe))
  expect(page).toContain('No coordinator leads:')
  expect(page).toContain('millrace apply -f examples/telemetry')
})

test('a route of a version that can’t be read is told', () => {
  const there = snapshot(0, {})
  const problems = [
    { kind: 'Route' as const, name: 'x', code: 'unknown_field', message: 'Route x: sink.warp: unknown field' },
  ]
  const page = renderStatus(reportStatus(there, { ...there, routes: { ...there.routes, problems } }, safe))
  expect(page).toMatch(/\n\nRoute x: sink.warp: unknown field$/m)
})

test('a lane that has stopped with an alarm says so, and why', () => {
  const problem = { code: 'lane_gap', message: '12 records of the lane are gone.' }
  const look = (beat: number) =>
    snapshot(beat * 1000, {
      'kafka-egress.a': instance(beat, [{ ...actor('sink.r.0', {}), state: 'failed', problem }]),
    })
  const page = renderStatus(reportStatus(look(1), look(2), safe))
  expect(page).toMatch(/^r\/0 sink +kafka-egress.a +failed$/m)
  expect(page).toMatch(/^r\/0 sink is failed: 12 records of the lane are gone\.$/m)
})

test('what a coordinator says is in the way is told; of one that is silent it is not', () => {
  const problem = { code: 'stream_missing', message: 'Route r: trimming: MR_D_r does not exist.' }
  const holds: ActorReport = { id: 'coordinator', epoch: 0, version: 0, state: 'holding', problem }
  const look = (beat: number) =>
    snapshot(beat * 1000, { 'coordinator.1': instance(beat, [holds]), 'coordinator.2': instance(1, [holds]) })
  const { problems } = reportStatus(look(1), look(2), safe)
  expect(problems.filter(it => it.includes('MR_D_r'))).toEqual([
    'coordinator.1: Route r: trimming: MR_D_r does not exist.',
  ])
})
