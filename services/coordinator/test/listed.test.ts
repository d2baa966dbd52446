import { type ActorReport, readEnd } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { lanesFound } from '../src/listed.ts'
import type { Situation } from '../src/situation.ts'
import { type RouteLanes, wantedActors } from '../src/wanted.ts'
import { append, commit, openSink, openSource } from './lane.ts'
import { listedRoute, Rig } from './rig.ts'

noLeaks()

const known: RouteLanes = {
  name: 'k',
  uid: 'uid-k',
  version: 2,
  source: 'kafka-ingress',
  sink: 'kafka-egress',
  lister: true,
  lanes: ['t/0'],
  retiring: ['t/1'],
}

/** What a leader sees where the lister of `k`, which has epoch 7, says this. */
function seen(said: Partial<ActorReport>, uid = known.uid): Situation {
  const [lister] = wantedActors({ ...known, uid })
  if (lister === undefined) throw new Error('There is no lister.')
  const { actor } = lister
  const report: ActorReport = { id: actor.id, epoch: 7, version: 2, state: 'running', ...said }
  const heartbeat = { startId: 's', beat: 1, version: '1', term: 1, revision: 1, state: 'running' as const }
  const document = { term: 1, startId: 's', actors: [{ ...actor, epoch: 7 }] }
  return {
    wanted: [],
    instances: new Map([['kafka-ingress.i', { presence: 'live', heartbeat: { ...heartbeat, actors: [report] } }]]),
    documents: new Map([['kafka-ingress.i', { revision: 1, document }]]),
  }
}

test('what a lister finds beyond what is known becomes lanes; what it does not find any more is left alone', () => {
  expect(lanesFound(known, seen({ lanes: ['t/0', 't/1', 't/2', 'u/0'] }))).toEqual(['t/2', 'u/0'])
  expect(lanesFound(known, seen({ lanes: [] }))).toEqual([])
  expect(lanesFound(known, seen({}))).toBeUndefined()
})

test.each([
  ['under an epoch of before', seen({ lanes: ['t/2'], epoch: 6 })],
  ['of the route as it was', seen({ lanes: ['t/2'], version: 1 })],
  ['of an earlier route of that name', seen({ lanes: ['t/2'] }, 'another')],
])('what a lister says %s does not count', (_, situation) => {
  expect(lanesFound(known, situation)).toBeUndefined()
})

test('more partitions than a route can have lanes: an alarm, and none of them is taken', () => {
  const lanes = (count: number) => Array.from({ length: count }, (_, partition) => `t/${partition}`)
  expect(lanesFound(known, seen({ lanes: lanes(2_000) }))).toHaveLength(1_998)
  expect(() => lanesFound(known, seen({ lanes: lanes(2_001) }))).toThrow(/2001 partitions.* 2000 at most/)
})

/** A fleet with route `k`, which reads the topics a and b, and what its lister has found. */
async function listing(finds: string[]) {
  const rig = await Rig.open()
  const first = await rig.coordinator('c0')
  const source = rig.instance('kafka-ingress', 'i')
  const sink = rig.instance('kafka-egress', 'a')
  source.finds = finds
  expect(await rig.apply({ k: listedRoute('a', 'b') })).toMatchObject({ ok: true })
  await rig.placed('kafka-ingress', 1 + finds.length)
  await rig.placed('kafka-egress', finds.length)
  const kept = async () => (await rig.routes())?.routes['k']
  return { rig, first, source, sink, kept }
}

test('a lister that goes, finds less, or is another one, under another leader too, moves nothing', async () => {
  const { rig, first, source, sink, kept } = await listing(['a/0', 'b/0'])
  await using _ = rig
  const placed = [...sink.running.values()]
  const other = rig.instance('kafka-ingress', 'j')
  other.finds = ['b/0']
  source.say('draining')
  await eventually(() => other.running.size === 3, { what: 'the other instance has all of it', timeout: 20_000 })
  await rig.coordinator('c1')
  await first.end('SIGTERM')
  await rig.leader('c1')
  other.finds = ['b/0', 'b/1']
  other.say()
  await rig.placed('kafka-egress', 3)
  expect((await kept())?.lanes).toEqual(['a/0', 'b/0', 'b/1'])
  expect(placed.every(it => sink.running.get(it.id)?.epoch === it.epoch)).toBe(true)
  rig.check()
})

test('that a lister has looked is kept, though nothing was there: what it finds from then on has come late', async () => {
  const { rig, source, kept } = await listing([])
  await using _ = rig
  await eventually(async () => (await kept())?.lanes?.length === 0, { what: 'that it has looked' })
  source.finds = ['a/0']
  source.say()
  await rig.placed('kafka-egress', 1)
  expect((await kept())?.lanes).toEqual(['a/0'])
  rig.check()
})

test('what a lister has looked for is kept, and changes only when it has looked for something else', async () => {
  const { rig, source, kept } = await listing(['a/0'])
  await using _ = rig
  expect((await kept())?.looked).toEqual(['a', 'b'])
  source.finds = undefined
  await rig.apply({ k: listedRoute('a', 'c') })
  await rig.placed('kafka-ingress', 2)
  expect(await kept()).toMatchObject({ lanes: ['a/0'], looked: ['a', 'b'] })
  source.finds = ['a/0']
  source.say()
  await eventually(async () => (await kept())?.looked?.includes('c'), { what: 'that it has looked for the new topic' })
  expect(await kept()).toMatchObject({ lanes: ['a/0'], looked: ['a', 'c'] })
  rig.check()
})

test('a partition whose lane its lister has opened, at its first record, before it told of it gets its actors', async () => {
  const { rig, source, sink, kept } = await listing(['a/0'])
  await using _ = rig
  const uid = (await kept())?.uid ?? ''
  const epoch = source.running.get('lister.k.lister')?.epoch ?? 0
  await openSource(rig, { service: 'kafka-ingress', route: 'k', lane: 'a/1', uid, epoch })
  source.finds = ['a/0', 'a/1']
  source.say()
  await rig.placed('kafka-egress', 2)
  const owner = sink.running.get('sink.k.a/1')?.epoch ?? 0
  expect((await openSink(rig, { route: 'k', lane: 'a/1', uid, epoch: owner })).place.sequence).toBe(0)
  rig.check()
})

test('the partitions of a topic that a route does not read any more are drained, and go on when it comes back', async () => {
  const { rig, source, sink, kept } = await listing(['a/0', 'b/0'])
  await using _ = rig
  const uid = (await kept())?.uid ?? ''
  const [epoch, end] = [source.running.get('source.k.b/0')?.epoch ?? 0, sink.running.get('sink.k.b/0')?.epoch ?? 0]
  const lane = { service: 'kafka-ingress', route: 'k', lane: 'b/0', uid } as const
  const writer = await openSource(rig, { ...lane, epoch })
  const reader = await openSink(rig, { ...lane, epoch: end })
  await append(writer, 3)

  await rig.apply({ k: listedRoute('a') })
  await eventually(() => source.running.get('source.k.b/0')?.retire === true, { what: 'b/0 retires' })
  expect(await kept()).toMatchObject({ lanes: ['a/0'], retiring: ['b/0'] })
  source.retired = true
  source.say()
  await commit(reader, (await readEnd(rig.bus('kafka-ingress'), lane))?.sequence ?? 0, 3)
  await eventually(() => !sink.running.has('sink.k.b/0'), { what: 'b/0 is drained' })
  // Whatever its lister says.
  expect((await kept())?.lanes).toEqual(['a/0'])

  source.retired = false
  await rig.apply({ k: listedRoute('a', 'b') })
  await rig.placed('kafka-egress', 2)
  await rig.placed('kafka-ingress', 3)
  const again = source.running.get('source.k.b/0')?.epoch ?? 0
  expect((await openSource(rig, { ...lane, epoch: again })).records).toBe(3)
  rig.check()
})

test('a deleted route ends its lister first, then its lanes, then itself', async () => {
  const { rig, source, sink, kept } = await listing(['a/0', 'a/1'])
  await using _ = rig
  expect(await rig.ask({ op: 'delete', routes: ['k'] })).toMatchObject({ ok: true })
  await eventually(() => source.running.size === 2 && [...source.running.values()].every(it => it.retire === true), {
    what: 'the lister is gone, and both lanes retire',
  })
  source.retired = true
  source.say()
  await eventually(async () => (await kept()) === undefined, { what: 'the route is gone' })
  await eventually(() => source.running.size + sink.running.size === 0, { what: 'nobody runs anything of it' })
  rig.check()
})
