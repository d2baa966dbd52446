import { dataStream, readEnd, streamInfo } from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'
import { noLeaks } from '@millrace/testkit'
import { expect, test, vi } from 'vitest'
import { RouteProblems } from '../src/problems.ts'
import { Provision } from '../src/provision.ts'
import { Trimmer } from '../src/trim.ts'
import { Alone } from './alone.ts'
import { append, commit, openSink, openSource } from './lane.ts'

noLeaks()

/** Routes r and s, each with three messages that are all delivered. */
async function delivered() {
  const alone = await Alone.open()
  const routes = await alone.routes(['r', 's'])
  for (const { name: route, uid } of routes) {
    const lane = { uid, epoch: 1, lane: '0', route }
    const source = await openSource(alone.rig, lane)
    for (let count = 0; count < 2; count += 1) await append(source, 1)
    const end = await readEnd(alone.bus, { service: 'mqtt-ingress', route, lane: '0' })
    await commit(await openSink(alone.rig, lane), end?.sequence ?? 0, 2)
  }
  const left = async (route: string) => (await streamInfo(alone.bus, dataStream(route)))?.state.messages
  return { alone, routes, left, trimmer: new Trimmer(alone.bus, alone.store), problems: new RouteProblems() }
}

test('a trim that the server refused is told and tried again, and the other routes are trimmed meanwhile', async () => {
  const { alone, routes, left, trimmer, problems } = await delivered()
  await using _ = alone
  const refusal = new JetStreamApiError({ code: 503, err_code: 10_008, description: 'system temporarily unavailable' })
  vi.spyOn(alone.bus.jsm.streams, 'purge').mockRejectedValueOnce(refusal)
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([3, 1])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'stream_refused' }])
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([1, 1])
  expect(problems.all).toEqual([])
})

test('positions that a replica listed late are listed again', async () => {
  const { alone, routes, left, trimmer, problems } = await delivered()
  await using _ = alone
  const { bucket } = alone.store.positions
  const late = [...(await bucket.list())].filter(([key]) => key.includes('.r.'))
  vi.spyOn(bucket, 'list').mockResolvedValueOnce(new Map(late))
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([1, 3])
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([1, 1])
})

test('where nobody has committed anything since, nothing is listed', async () => {
  const { alone, routes, trimmer, problems } = await delivered()
  await using _ = alone
  await trimmer.trim(routes, problems)
  const list = vi.spyOn(alone.store.positions.bucket, 'list')
  await trimmer.trim(routes, problems)
  expect(list).not.toHaveBeenCalled()
})

test('a lane that was restored from an older copy, and grew beyond the position, keeps what was never delivered', async () => {
  const { alone, routes, left, trimmer, problems } = await delivered()
  await using _ = alone
  const lane = { uid: routes[0]!.uid, epoch: 2, lane: '0', route: 'r' }
  const end = await readEnd(alone.bus, { service: 'mqtt-ingress', route: 'r', lane: '0' })
  // As a position looks that was committed before the restore: the sequence is there again, after fewer records.
  await commit(await openSink(alone.rig, lane), end?.sequence ?? 0, 1_000)
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([3, 1])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'totals_differ' }])
})

test('a restored lane that grew to exactly the position keeps what was never delivered', async () => {
  const { alone, routes, left, trimmer, problems } = await delivered()
  await using _ = alone
  const lane = { uid: routes[0]!.uid, epoch: 2, lane: '0', route: 'r' }
  const end = await readEnd(alone.bus, { service: 'mqtt-ingress', route: 'r', lane: '0' })
  const totals = { out: 2, dead: 0, filtered: 0, parked: 0 }
  await (await openSink(alone.rig, lane)).commit({ sequence: end?.sequence ?? 0, writer: 'another' }, totals)
  await trimmer.trim(routes, problems)
  expect([await left('r'), await left('s')]).toEqual([3, 1])
  expect(problems.all).toMatchObject([{ route: 'r', code: 'lane_replaced' }])
})

test('the alarm of one lane keeps no other lane of its route from being trimmed', async () => {
  const { alone, routes, left, trimmer, problems } = await delivered()
  await using _ = alone
  const wider = { ...routes[0]!, lanes: ['0', '1'] }
  await new Provision(alone.bus, alone.store, 1).prepareAll([wider], problems)
  const lane = { uid: wider.uid, epoch: 2, lane: '1', route: 'r' }
  const source = await openSource(alone.rig, lane)
  for (let count = 0; count < 2; count += 1) await append(source, 1)
  const end = async (name: string) => readEnd(alone.bus, { service: 'mqtt-ingress', route: 'r', lane: name })
  await commit(await openSink(alone.rig, lane), (await end('1'))?.sequence ?? 0, 2)
  await commit(await openSink(alone.rig, { ...lane, lane: '0' }), (await end('0'))?.sequence ?? 0, 1_000)
  await trimmer.trim([wider], problems)
  expect(await left('r')).toBe(3 + 1)
  expect(problems.all).toMatchObject([{ route: 'r', code: 'totals_differ' }])
})
