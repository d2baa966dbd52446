import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, sink } from './rig.ts'

noLeaks()

test('pause drains and resume starts again, for all actors or one', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r', 's')
  await using service = rig.service()
  await rig.assign([sink('r', 5), sink('s', 6)])
  await service.saw('started', 2)
  await rig.seen('both run', ({ actors }) => actors.filter(({ state }) => state === 'running').length === 2)

  expect(await rig.ask({ op: 'pause', actor: 'sink.r.0' })).toEqual({ ok: true })
  const one = await rig.seen('one is paused', ({ actors }) => actors.some(({ problem }) => problem?.code === 'paused'))
  expect(one.state).toBe('running')
  expect(service.events('drained').map(({ epoch }) => epoch)).toEqual([5])

  expect(await rig.ask({ op: 'pause' })).toEqual({ ok: true })
  await rig.seen('all paused', d => d.state === 'paused' && d.actors.every(({ problem }) => problem?.code === 'paused'))
  expect(await rig.ask({ op: 'resume' })).toEqual({ ok: true })
  await rig.seen('all run', d => d.state === 'running' && d.actors.every(({ state }) => state === 'running'))
  expect(service.events('started')).toHaveLength(4)
})

test('drain asks for the actors to be taken away, and they run until they are', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  expect(await rig.ask({ op: 'drain' })).toEqual({ ok: true })
  await rig.seen('it is said', ({ state }) => state === 'draining')
  const writes = service.events('write').length
  await service.saw('write', writes + 5)
  await rig.assign([])
  await rig.seen('gone', ({ actors }) => actors.length === 0)
})

test('who looks in is answered by the actor itself, while it runs here', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write')
  const look = () => rig.ask({ op: 'tap', actor: 'sink.r.0', after: 7 })
  expect(await look()).toEqual({ ok: true, samples: [], after: 7 })
  expect(await rig.ask({ op: 'tap', actor: 'sink.s.0' })).toMatchObject({ problem: { code: 'unknown_actor' } })
  await rig.seen('there', ({ actors }) => actors.length === 1)
  await rig.assign([])
  await rig.seen('gone', ({ actors }) => actors.length === 0)
  expect(await look()).toMatchObject({ ok: false, problem: { code: 'unknown_actor' } })
})

test('status answers with the document, and what is not understood with a problem', async () => {
  await using rig = await Rig.start()
  await using _service = rig.service()
  const { startId } = await rig.seen('a heartbeat', () => true)
  expect(await rig.ask({ op: 'status' })).toMatchObject({
    ok: true,
    instance: { startId, state: 'running', actors: [] },
  })
  expect(await rig.ask({ op: 'format c:' })).toMatchObject({ ok: false, problem: { code: 'unknown_op' } })
  expect(await rig.ask({ op: 'pause', actor: 'no' })).toMatchObject({ ok: false, problem: { code: 'unknown_actor' } })
  for (const request of [[], { op: 1 }, {}]) {
    expect(await rig.ask(request)).toMatchObject({ ok: false, problem: { code: 'bad_request' } })
  }
})
