/** What the leader does when it is asked, without a leader: the steps of `apply` and `delete`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { dataStream, deleteRouteStreams, laneSubject, type Position, readEnd, streamInfo } from '@millrace/bus'
import { noLeaks } from '@millrace/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { answerApply, answerDelete, type Office } from '../src/control.ts'
import { Turns } from '../src/turns.ts'
import { Alone } from './alone.ts'
import { append, commit, openSink, openSource, publishAbsurd } from './lane.ts'
import { connections, route } from './rig.ts'

noLeaks()

const name = { service: 'mqtt-ingress', route: 'r', lane: '0' } as const
const none = { out: 0, dead: 0, filtered: 0, parked: 0 }
const deletion = z.object({ deleted: z.array(z.object({ pending: z.number().nullable() })) })

afterEach(() => {
  vi.useRealTimers()
})

/** The office of a leader, and whose the data stream of a route is. */
async function open(routes: readonly string[] = []) {
  const alone = await Alone.open()
  await alone.routes(routes)
  const { bus, store } = alone
  const room = { bus, replicas: 1, monitorUrl: undefined, routes: store.routes.bucket }
  const office: Office = { store, room, turns: new Turns(), leads: () => true }
  const apply = (name: string) => answerApply(office, { connections, routes: { [name]: route(1) } })
  const owner = async (name: string) => (await streamInfo(bus, dataStream(name)))?.config.metadata?.['uid']
  const uid = async (name: string) => (await store.routes.bucket.read('current'))?.value.routes[name]?.uid
  return { alone, office, apply, owner, uid }
}

test('of two applies at once none takes the stream that the other has just made', async () => {
  const { alone, apply, owner, uid } = await open()
  await using _ = alone
  for (let pair = 0; pair < 10; pair += 1) {
    const name = `r${pair}`
    const answers = await Promise.all([apply(name), sleep(pair).then(() => apply(name))])
    expect(answers).toMatchObject([{ revision: expect.any(Number) }, { revision: expect.any(Number) }])
    expect(await uid(name)).toBeDefined()
    expect(await owner(name)).toBe(await uid(name))
  }
})

test('an empty stream is taken for left over when it is a minute old and no route has its uid', async () => {
  const { alone, apply, owner, uid } = await open()
  await using _ = alone
  const metadata = { uid: 'of-another-apply' }
  await alone.bus.jsm.streams.add({ name: dataStream('r'), subjects: ['mr.d.*.r.*'], metadata })
  expect(await apply('r')).toMatchObject({ problem: { code: 'left_over' } })
  expect(await owner('r')).toBe('of-another-apply')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
  expect(await apply('r')).toMatchObject({ revision: expect.any(Number) })
  expect(await owner('r')).toBe(await uid('r'))
})

test('a stream whose route another leader wrote meanwhile is never taken for left over, however old', async () => {
  const { alone, office, apply, owner } = await open()
  await using _ = alone
  expect(await apply('r')).toMatchObject({ revision: expect.any(Number) })
  const made = await owner('r')
  const there = await office.store.routes.bucket.read('current')
  if (there === undefined) throw new Error('There are no routes.')
  const before = { ...there, value: { ...there.value, routes: {} } }
  vi.spyOn(office.store.routes.bucket, 'read').mockResolvedValueOnce(before)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
  expect(await apply('r')).toMatchObject({ problem: { code: 'left_over' } })
  expect(await owner('r')).toBe(made)
})

test('who leads no more when the streams are made writes nothing', async () => {
  const { alone, office, uid } = await open()
  await using _ = alone
  const leads = vi
    .fn(() => true)
    .mockReturnValueOnce(true)
    .mockReturnValue(false)
  const request = { connections, routes: { r: route(1) } }
  expect(await answerApply({ ...office, leads }, request)).toMatchObject({ problem: { code: 'not_leader' } })
  expect(await uid('r')).toBeUndefined()
})

test('the dead letters that go with a route are counted, of a route that can not be read too', async () => {
  const { alone, office, apply } = await open()
  await using _ = alone
  await apply('r')
  for (const lane of ['0', '1']) await alone.rig.bus('kafka-egress').js.publish(`mr.x.kafka-egress.r.${lane}`, 'letter')
  const request = { routes: ['r'], dryRun: true }
  expect(await answerDelete(office, request)).toMatchObject({ deleted: [{ name: 'r', pending: 0, deadLetters: 2 }] })
  const there = await office.store.routes.bucket.read('current')
  const routes = { r: { uid: 'u', version: 1, spec: 'of a later version' } }
  if (there !== undefined) await office.store.routes.write('current', { ...there.value, routes }, there.revision)
  expect(await answerDelete(office, { ...request, discard: true })).toMatchObject({
    deleted: [{ kind: 'Route', name: 'r', pending: null, deadLetters: 2 }],
  })
})

/** What a delete says of routes r and s; each has five records, of which two are delivered. */
async function pending() {
  const { alone, office } = await open(['r', 's'])
  const positions: Position[] = []
  for (const route of ['r', 's']) {
    const lane = { uid: `uid-${route}`, epoch: 1, lane: '0', route }
    const source = await openSource(alone.rig, lane)
    await append(source, 2)
    const sequence = (await readEnd(alone.bus, { ...name, route }))?.sequence ?? 0
    const position = await openSink(alone.rig, lane)
    await commit(position, sequence, 2)
    await append(source, 3)
    positions.push(position)
  }
  const asked = async () => {
    const answer = await answerDelete(office, { routes: ['r', 's'], discard: true, dryRun: true })
    return deletion.parse(answer).deleted.map(({ pending }) => pending)
  }
  return { alone, positions, asked }
}

test('how much would be thrown away is told while it is known', async () => {
  const { alone, asked } = await pending()
  await using _ = alone
  expect(await asked()).toEqual([3, 3])
})

test.each<[string, (alone: Alone, position: Position) => Promise<unknown>]>([
  ["ends with a stranger's message", ({ rig }) => rig.bus('mqtt-ingress').js.publish(laneSubject(name), 'a stranger')],
  ["ends with a stranger's absurd epoch", ({ rig }) => publishAbsurd(rig, 'r')],
  ['ends before its position', (_, position) => position.commit({ sequence: 2 ** 52 }, { ...none, out: 9 })],
  [
    'was an older copy that has grown again',
    async ({ bus }, position) => {
      const end = await readEnd(bus, name)
      await position.commit({ sequence: end?.sequence ?? 0 }, { ...none, out: 500 })
    },
  ],
  [
    'is that of another route',
    async ({ bus }) => {
      await deleteRouteStreams(bus, 'r', 'uid-r')
      const metadata = { uid: 'another' }
      await bus.jsm.streams.add({ name: dataStream('r'), subjects: ['mr.d.*.r.*'], metadata })
    },
  ],
  ['is gone', ({ bus }) => deleteRouteStreams(bus, 'r', 'uid-r')],
])('a lane that %s holds an unknown number of records, never 0', async (_, spoil) => {
  const { alone, positions, asked } = await pending()
  await using __ = alone
  for (const position of positions.slice(0, 1)) await spoil(alone, position)
  expect(await asked()).toEqual([null, 3])
})

test('the sequences of a route that is made anew are above all that its name had before', async () => {
  const { alone, office, apply, uid } = await open()
  await using _ = alone
  const last = async () => (await streamInfo(alone.bus, dataStream('r')))?.state.last_seq ?? 0
  await apply('r')
  await alone.rig.bus('mqtt-ingress').js.publish('mr.d.mqtt-ingress.r.0', 'something')
  const before = await last()
  await deleteRouteStreams(alone.bus, 'r', (await uid('r')) ?? '')
  const there = await office.store.routes.bucket.read('current')
  if (there !== undefined) await office.store.routes.write('current', { ...there.value, routes: {} }, there.revision)
  await apply('r')
  expect(await last()).toBeGreaterThan(before)
  expect(await last()).toBeLessThan(2 ** 53)
})
