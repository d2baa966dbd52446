/** R11 with real processes: what an actor still does when its instance can't be seen any more. */
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, sink } from './rig.ts'

noLeaks()

/** A service whose one sink, of epoch 5, writes. */
async function startWriting() {
  await using stack = new AsyncDisposableStack()
  const rig = stack.use(await Rig.start())
  await rig.routes(1, 'r')
  const service = stack.use(rig.service())
  await rig.assign([sink('r', 5)])
  await service.saw('write', 5)
  const both = stack.move()
  return { rig, service, [Symbol.asyncDispose]: () => both.disposeAsync() }
}

test('without NATS the actors are aborted after 4 s, undrained, and go on when it is back', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r', 'slow')
  await using service = rig.service()
  await rig.assign([sink('r', 5), sink('slow', 6)])
  await service.saw('write', 20)
  const killed = performance.now()
  await rig.nats.kill()
  const aborted = await service.saw('aborted', 2)
  expect(aborted.at - killed).toBeGreaterThan(2_000)
  // The lease of 5 s, and what a busy machine takes to tell it.
  expect(aborted.at - killed).toBeLessThan(6_000)
  expect(service.events('drained')).toEqual([])
  await eventually(() => performance.now() - killed > 10_500, { what: 'ten seconds without NATS', timeout: 20_000 })
  expect(service.events('write').filter(({ at }) => at > aborted.at)).toEqual([])

  await rig.nats.restart()
  await service.saw('started', 4)
  // Each actor starts by itself, so in any order.
  const epochs = service.events('started').map(({ epoch }) => epoch)
  expect([new Set(epochs.slice(0, 2)), new Set(epochs.slice(2))]).toEqual([new Set([5, 6]), new Set([5, 6])])
  const writes = service.events('write').length
  await service.saw('write', writes + 10)
})

test('a nats-server that is there and does not answer is as good as gone', async () => {
  await using writing = await startWriting()
  const { rig, service } = writing
  const paused = performance.now()
  rig.nats.pause()
  const aborted = await service.saw('aborted')
  expect(aborted.at - paused).toBeLessThan(6_000)
  await standStill(2_000)
  rig.nats.resume()
  const back = performance.now()
  await service.saw('started', 2)
  expect(service.events('write').filter(({ at }) => at > aborted.at && at < back)).toEqual([])
})

test('who lost its lease, and can not read its assignment again, says that it has seen none', async () => {
  await using writing = await startWriting()
  const { rig, service } = writing
  await rig.seen('it runs what it has seen', ({ term, actors }) => term === 1 && actors.length === 1)
  await rig.bus.jsm.streams.delete('KV_mr_assign')
  rig.nats.pause()
  await service.saw('aborted')
  rig.nats.resume()
  const { beat } = await rig.seen('nothing seen, nothing running', d => d.term === 0 && d.actors.length === 0)
  const later = await rig.seen('two beats later', d => d.beat >= beat + 2)
  expect(later).toMatchObject({ term: 0, revision: 0, actors: [] })
})

test('who asks whether it is still the owner gets its answer from the assignment, not from a fresh lease', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'curious')
  await using service = rig.service()
  await rig.assign([sink('curious', 5)])
  await service.saw('allowed', 5)
  rig.nats.pause()
  const paused = performance.now()
  await standStill(1_000)
  const back = performance.now()
  rig.nats.resume()
  const after = () => service.events('allowed').filter(({ at }) => at >= back)
  await eventually(() => after().length >= 5, { what: 'answers again', timeout: 20_000 })
  // One answer may have been on its way.
  const meanwhile = service.events('allowed').filter(({ at }) => at > paused && at < back)
  expect(meanwhile.length).toBeLessThanOrEqual(1)
})

test('an instance that stood still, and is still the owner, asks before its next write', async () => {
  await using writing = await startWriting()
  const { service } = writing
  service.kill('SIGSTOP')
  await standStill(2_000)
  const goesOn = performance.now()
  service.kill('SIGCONT')
  const lines = () => service.events('write', 'asks', 'allowed', 'aborted').filter(({ at }) => at >= goesOn)
  await eventually(() => lines().length >= 10, { what: 'it goes on' })
  const after = lines().map(({ event }) => event)
  expect(after.slice(0, 3)).toEqual(['asks', 'allowed', 'write'])
  expect(service.events('aborted')).toEqual([])
})

test('an instance that stood still, and is not the owner any more, writes nothing', async () => {
  await using writing = await startWriting()
  const { rig, service } = writing
  service.kill('SIGSTOP')
  await rig.assign([])
  await standStill(2_500)
  const goesOn = performance.now()
  service.kill('SIGCONT')
  await eventually(() => service.events('refused', 'aborted').length > 0, { what: 'the actor gives up' })
  await rig.seen('gone', ({ actors }) => actors.length === 0)
  expect(service.events('write').filter(({ at }) => at >= goesOn)).toEqual([])
})

test('an instance that stood still beyond its lease aborts, and begins anew under its new epoch', async () => {
  await using writing = await startWriting()
  const { rig, service } = writing
  service.kill('SIGSTOP')
  await rig.assign([sink('r', 7)])
  await standStill(6_000)
  const writes = service.events('write').length
  service.kill('SIGCONT')
  await service.saw('started', 2)
  await service.saw('write', writes + 5)
  const later = service.events('write').slice(writes)
  expect(new Set(later.map(({ epoch }) => epoch))).toEqual(new Set([7]))
})

/** A pause is what is tested here: there is nothing to wait for but time. */
async function standStill(ms: number): Promise<void> {
  const until = performance.now() + ms
  await eventually(() => performance.now() >= until, { what: 'a pause', timeout: ms + 1_000 })
}
