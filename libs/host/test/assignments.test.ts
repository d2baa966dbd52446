import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, sink } from './rig.ts'

noLeaks()

test('an instance beats once a second, runs what it is told, and says so at once', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  const first = await rig.seen('a heartbeat', () => true)
  expect(first).toMatchObject({ state: 'running', actors: [], term: 0, revision: 0 })

  const told = performance.now()
  const { revision } = await rig.assign([sink('r', 5)])
  const running = await rig.seen('the actor runs', ({ actors }) => actors[0]?.state === 'running')
  expect(performance.now() - told).toBeLessThan(900)
  expect(running).toMatchObject({ term: 1, revision, actors: [{ id: 'sink.r.0', epoch: 5, version: 1 }] })

  const from = await rig.seen('a heartbeat', () => true)
  const begun = performance.now()
  const later = await rig.seen('three more', ({ beat }) => beat >= from.beat + 3)
  expect(performance.now() - begun).toBeGreaterThan(1_900)
  expect(later.actors[0]?.counts?.['out']).toBeGreaterThan(0)
  expect(service.events('started')).toHaveLength(1)
})

test('an actor that is taken away is drained and then gone; one that comes is started', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r', 's')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  const { revision } = await rig.assign([sink('s', 6)])
  await rig.seen('moved', d => d.revision === revision && d.actors.length === 1 && d.actors[0]?.id === 'sink.s.0')
  await service.saw('started', 2)
  expect(service.events('drained', 'aborted').map(({ event, epoch }) => [event, epoch])).toEqual([['drained', 5]])
})

test('a new version of the route is drained into; a new epoch alone aborts', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  await rig.routes(2, 'r')
  await rig.assign([sink('r', 6, { version: 2 })])
  await service.saw('started', 2)
  await rig.assign([sink('r', 7, { version: 2 })])
  await service.saw('started', 3)
  expect(service.events('started', 'drained', 'aborted').map(({ event, epoch }) => [event, epoch])).toEqual([
    ['started', 5],
    ['drained', 5],
    ['started', 6],
    ['aborted', 6],
    ['started', 7],
  ])
})

test('a new leader that writes the same again disturbs nothing, and an older term is not obeyed', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)], { term: 3 })
  await service.saw('write')
  const newer = await rig.assign([sink('r', 5)], { term: 4 })
  await rig.seen('the new term', ({ term, revision }) => term === 4 && revision === newer.revision)
  await rig.assign([], { term: 2 })
  const writes = service.events('write').length
  await service.saw('write', writes + 20)
  const document = await rig.seen('still the newer one', ({ term }) => term === 4)
  expect(document.revision).toBe(newer.revision)
  expect(service.events('started', 'drained', 'aborted')).toHaveLength(1)
})

test('a document for another process gives this one nothing', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  await rig.assign([sink('r', 6)], { startId: 'another' })
  await service.saw('aborted')
  await rig.seen('nothing left', ({ actors }) => actors.length === 0)
  expect(service.events('started')).toHaveLength(1)
})

test('a retired actor stays listed as stopped and is not started again', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  await rig.assign([sink('r', 6, { retire: true })])
  await service.saw('retired')
  const once = await rig.seen('stopped', ({ actors }) => actors[0]?.state === 'stopped')
  await rig.seen('two beats later, still', d => d.beat >= once.beat + 2 && d.actors[0]?.state === 'stopped')
  expect(service.events('started', 'drained').map(({ event }) => event)).toEqual(['started', 'drained', 'started'])
  await rig.assign([])
  await rig.seen('gone', ({ actors }) => actors.length === 0)
})

test('an actor that fails is started again; a fenced one only with another epoch', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'fails', 'fenced')
  await using service = rig.service()
  await rig.assign([sink('fails', 5), sink('fenced', 6)])
  const document = await rig.seen('both failed', d => d.actors.filter(({ state }) => state === 'failed').length === 2)
  expect(document.actors.map(({ problem }) => problem)).toEqual([
    { code: 'failed', message: 'broken' },
    { code: 'fenced', message: 'another owner' },
  ])
  const failures = (code: string) => service.lines.filter(line => line['code'] === code)
  await eventually(() => failures('failed').length >= 3, { what: 'three attempts' })
  expect(failures('fenced')).toHaveLength(1)
  await rig.assign([sink('fails', 5), sink('fenced', 7)])
  await eventually(() => failures('fenced').length === 2, { what: 'another attempt' })
})

test('a route that is not there yet is waited for', async () => {
  await using rig = await Rig.start()
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  const waiting = await rig.seen('it fails', ({ actors }) => actors[0]?.state === 'failed')
  expect(waiting.actors[0]?.problem?.code).toBe('route_unknown')
  await rig.routes(1, 'r')
  await service.saw('write')
})
