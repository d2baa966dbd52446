import { dataStream, streamInfo } from '@millrace/bus'
import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { RouteProblems } from '../src/problems.ts'
import { Strangers } from '../src/strangers.ts'
import { Alone } from './alone.ts'
import { append, openSource, publishAbsurd } from './lane.ts'
import { listedRoute } from './rig.ts'

noLeaks()

/** Routes r and s with records in lane 0, and what a look says of them. */
async function running() {
  const alone = await Alone.open()
  const routes = await alone.routes(['r', 's'])
  await alone.store.positions.reload(AbortSignal.timeout(10_000))
  for (const { name: route, uid } of routes) {
    await append(await openSource(alone.rig, { uid, epoch: 1, lane: '0', route }), 1)
  }
  const problems = new RouteProblems()
  const look = async (seen = routes) => {
    await new Strangers(alone.bus, alone.store).look(seen, problems)
    return problems.all
  }
  const publish = (subject: string) => alone.rig.bus('mqtt-ingress').js.publish(subject, 'a stranger')
  const messages = async () => (await streamInfo(alone.bus, dataStream('r')))?.state.messages
  return { alone, routes, look, publish, messages }
}

test('lanes of the route are nothing strange, nor is one that has ended', async () => {
  const { alone, routes, look } = await running()
  await using _ = alone
  expect(await look()).toEqual([])
  expect(await look(routes.map(route => ({ ...route, lanes: [] })))).toEqual([])
})

test('messages on subjects that are no lane of the route are told and left alone, until they are purged', async () => {
  const { alone, look, publish, messages } = await running()
  await using _ = alone
  for (const lane of ['7', '7', 'no=lane']) await publish(`mr.d.mqtt-ingress.r.${lane}`)
  const message = expect.stringContaining('3 messages on "mr.d.mqtt-ingress.r.7", "mr.d.mqtt-ingress.r.no=lane"')
  expect(await look()).toMatchObject([{ route: 'r', code: 'lane_conflict', message }])
  expect(await messages()).toBe(5)
  for (const lane of ['7', 'no=lane']) {
    await alone.bus.jsm.streams.purge(dataStream('r'), { filter: `mr.d.mqtt-ingress.r.${lane}` })
  }
  expect(await look()).toEqual([])
})

test('a lane that its lister has opened and not told of yet is nothing strange, until somebody stores records there', async () => {
  await using alone = await Alone.open()
  const routes = await alone.routes(['k'], { spec: listedRoute('t'), lanes: ['t/0'] })
  const problems = new RouteProblems()
  const look = async () => {
    await new Strangers(alone.bus, alone.store).look(routes, problems)
    return problems.all.map(({ message }) => message)
  }
  const late = { service: 'kafka-ingress', uid: 'uid-k', epoch: 1, lane: 't/1', route: 'k' } as const
  const lane = await openSource(alone.rig, late)
  expect(await look()).toEqual([])
  await append(lane, 1)
  expect(await look()).toEqual([expect.stringContaining('2 messages on "mr.d.kafka-ingress.k.t=2F1"')])
  // Of a topic that the route does not read, not even an opening.
  await openSource(alone.rig, { ...late, lane: 'u/0' })
  expect(await look()).toEqual([expect.stringContaining('3 messages')])
})

test('of many such subjects a few are named, and what they hold can not spoil a screen', async () => {
  const { alone, look, publish } = await running()
  await using _ = alone
  await publish('mr.d.mqtt-ingress.r.\u001b[2J')
  for (let lane = 1; lane <= 9; lane += 1) await publish(`mr.d.mqtt-ingress.r.${lane}${'x'.repeat(500)}`)
  const [problem] = await look()
  expect(problem?.message).toMatch(/10 messages on .* and 7 more subjects/)
  expect(problem?.message.length).toBeLessThan(1_000)
  expect(problem?.message).not.toContain('\u001b')
})

test("a message of an absurd epoch at a lane's end is told", async () => {
  const { alone, look } = await running()
  await using _ = alone
  await publishAbsurd(alone.rig, 'r')
  expect(await look()).toMatchObject([
    { route: 'r', code: 'lane_conflict', message: expect.stringContaining('not written by') },
  ])
})

test("another route's stream is nobody's to look into", async () => {
  const { alone, routes, look, publish } = await running()
  await using _ = alone
  await publish('mr.d.mqtt-ingress.r.7')
  expect(await look(routes.map(route => ({ ...route, uid: 'another' })))).toEqual([])
})
