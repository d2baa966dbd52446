import { install, type Installation, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Bus,
  claimPosition,
  dataStream,
  deleteRouteStreams,
  type LaneAppender,
  LaneReader,
  makeRouteStreams,
  openLane,
  readEnd,
  streamInfo,
  trimLane,
} from '../src/index.ts'
import { lane, noTotals, sinkLane } from './lanes.ts'

noLeaks()

let installation: Installation
let source: Bus
let sink: Bus
beforeAll(async () => {
  installation = await install()
  source = await installation.connect('mqtt-ingress')
  sink = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

const tell = () => {}
/** As large as a coordinator makes it: 1024 for each millisecond since the epoch. */
const first = Date.UTC(2100, 0) * 1024

/** Makes the streams of a route, and its name and its sink's. */
async function make(route: string, { uid = 'u', firstSequence = first, maxBytes = 2 ** 20 } = {}) {
  const deadLetters = { maxBytes: 2 ** 20 }
  await makeRouteStreams(installation.coordinator, { route, uid, maxBytes, firstSequence, deadLetters, replicas: 1 })
  return { lane: { ...lane, route }, sinkLane: { ...sinkLane, route } }
}

const open = (name: typeof lane, epoch = 1): Promise<LaneAppender> =>
  openLane({ bus: source, lane: name, uid: 'u', epoch, start: () => 'p', signal: installation.signal, tell })

async function append(appender: LaneAppender, batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    await appender.append({ payload: Buffer.from('batch'), count: 1, position: 'p' })
  }
}

/** Reads so many batches, the opening ones too, and returns their sequences. */
async function sequences(name: typeof lane, from: { after: number; base: number }, count: number): Promise<number[]> {
  const over = new AbortController()
  const reader = new LaneReader({
    bus: sink,
    lane: name,
    uid: 'u',
    after: { sequence: from.after },
    base: from.base,
    signal: over.signal,
  })
  const found: number[] = []
  while (found.length < count) {
    await reader.waiting(installation.signal)
    for (let batch = reader.take(); batch !== undefined; batch = reader.take()) found.push(batch.sequence)
  }
  over.abort()
  return found
}

/** Restarts nats-server, and resolves when everybody has its connection again. */
async function restart(): Promise<void> {
  const back = [installation.coordinator, source, sink].map(bus => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const off = bus.on(event => event.is === 'connected' && resolve())
    return promise.then(off)
  })
  await installation.nats.restart()
  await Promise.all(back)
}

test('A lane whose sequences begin high is opened, read from 0, committed, trimmed and read on, over restarts', async () => {
  const { lane, sinkLane } = await make('high')
  await restart()
  const empty = await streamInfo(installation.coordinator, dataStream('high'))
  expect(empty?.state).toMatchObject({ messages: 0, last_seq: first - 1 })
  expect(await readEnd(source, lane)).toBeUndefined()
  await append(await open(lane), 4)
  const all = [0, 1, 2, 3, 4].map(ordinal => first + ordinal)
  expect(await sequences(lane, { after: 0, base: 0 }, 5)).toEqual(all)

  const key = `kafka-egress.high.0`
  await installation.positions().create(key, { uid: 'u', sequence: 0, epoch: 0, totals: noTotals })
  const owner = { bus: sink, lane: sinkLane, uid: 'u', epoch: 1, signal: installation.signal, tell }
  await (await claimPosition(owner)).commit({ sequence: first + 2 }, { ...noTotals, out: 2 })
  expect((await claimPosition({ ...owner, epoch: 2 })).place.sequence).toBe(first + 2)
  expect(await trimLane(installation.coordinator, lane, first + 2)).toBe(2)
  await make('high', { firstSequence: first + 5_000, maxBytes: 2 ** 21 })
  await restart()
  expect(await sequences(lane, { after: first + 2, base: 2 }, 2)).toEqual([first + 3, first + 4])
  await append(await open(lane, 2), 1)
  expect((await readEnd(source, lane))?.sequence).toBe(first + 6)
})

test('What was meant for a stream that is gone fits none that was made anew: a purge, and the append of a zombie', async () => {
  const { lane } = await make('anew')
  const zombie = await open(lane)
  await append(zombie, 2)
  await deleteRouteStreams(installation.coordinator, 'anew', 'u')
  await make('anew', { firstSequence: first + 1_000_000 })
  await append(await open(lane), 2)
  expect(await trimLane(installation.coordinator, lane, first + 2)).toBe(0)
  expect((await streamInfo(installation.coordinator, dataStream('anew')))?.state.messages).toBe(3)
  await expect(append(zombie, 1)).rejects.toMatchObject({ name: 'FencedError' })
})
