import { install, type Installation, noLeaks, startProxy } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bus, claimPosition, FencedError, type LaneName, type Position, positionKey } from '../src/index.ts'
import { noTotals } from './lanes.ts'

noLeaks()

let installation: Installation
let sink: Bus

beforeAll(async () => {
  installation = await install()
  sink = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

const claim = (lane: LaneName, epoch: number, bus = sink): Promise<Position> =>
  claimPosition({ bus, lane, uid: lane.route.toUpperCase(), epoch, signal: installation.signal, tell() {} })

const totals = { ...noTotals, out: 3, dead: 1 }

test('A position is committed with its totals, and the next owner goes on there', async () => {
  const { sinkLane } = await installation.route('commit')
  const position = await claim(sinkLane, 1)
  expect(position).toMatchObject({ place: { sequence: 0 }, totals: noTotals })
  const place = { sequence: 5, writer: 'w' }
  await position.commit(place, totals)
  expect(position).toMatchObject({ place, totals })
  expect(await claim(sinkLane, 2)).toMatchObject({ place, totals })
})

test('An owner is fenced as soon as a newer one has claimed the position, and can not claim it back', async () => {
  const { sinkLane } = await installation.route('fenced')
  const old = await claim(sinkLane, 1)
  const next = await claim(sinkLane, 2)
  await expect(old.commit({ sequence: 9 }, totals)).rejects.toThrow(FencedError)
  await expect(claim(sinkLane, 1)).rejects.toThrow(FencedError)
  await next.commit({ sequence: 4 }, totals)
  expect((await installation.positions().read(positionKey(sinkLane)))?.value).toMatchObject({ sequence: 4, epoch: 2 })
})

test('A later claim with the same epoch fences the earlier one', async () => {
  const { sinkLane } = await installation.route('twice')
  const before = await claim(sinkLane, 3)
  await before.commit({ sequence: 2 }, totals)
  const after = await claim(sinkLane, 3)
  await expect(before.commit({ sequence: 9 }, totals)).rejects.toThrow(FencedError)
  expect(after.place.sequence).toBe(2)
  await after.commit({ sequence: 3 }, totals)
})

test('A commit whose answer was lost is a commit', async () => {
  const { sinkLane } = await installation.route('lost')
  await using proxy = await startProxy(installation.nats.port)
  const bus = await installation.connect('kafka-egress', proxy.port)
  const position = await claim(sinkLane, 1, bus)
  for (const sequence of [1, 2, 3]) {
    proxy.dropAnswers()
    await position.commit({ sequence }, totals)
  }
  expect((await installation.positions().read(positionKey(sinkLane)))?.value.sequence).toBe(3)
  await bus[Symbol.asyncDispose]()
})

test('A position that is missing, or that is of another route of this name, is an alarm', async () => {
  const { sinkLane } = await installation.route('alarm')
  await expect(claim({ ...sinkLane, lane: '1' }, 1)).rejects.toMatchObject({ code: 'position_missing' })
  const other = { bus: sink, lane: sinkLane, epoch: 1, signal: installation.signal, tell() {} }
  await expect(claimPosition({ ...other, uid: 'ANOTHER' })).rejects.toMatchObject({ code: 'position_replaced' })
  const position = await claim(sinkLane, 1)
  const key = positionKey(sinkLane)
  const positions = installation.positions()
  await positions.delete(key, (await positions.read(key))?.revision ?? 0)
  await expect(position.commit({ sequence: 1 }, totals)).rejects.toMatchObject({ code: 'position_missing' })
})
