import {
  AlarmError,
  deadLetterStream,
  type KeptPosition,
  type LaneName,
  openLane,
  positionKey,
  type PositionDocument,
  readKeptPosition,
  streamInfo,
  writeKeptPosition,
} from '@millrace/bus'
import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { noTotals } from '../../bus/test/lanes.ts'
import { Cursor } from '../src/cursor.ts'
import { ExactlyOnce } from '../src/exactly-once.ts'
import { deliver, type DeliverOptions } from '../src/index.ts'
import { settlementOf } from '../src/settlement.ts'
import { batchOf, valueOf } from './records.ts'
import { type Fate, ModelSink } from './transactional-sink.ts'

noLeaks()

let installation: Installation
beforeAll(async () => {
  installation = await install()
})
afterAll(() => installation[Symbol.asyncDispose]())
afterEach(() => {
  vi.useRealTimers()
})

test('whatever is lost, late or refused on the way: everything once, in order, and the position with it', async () => {
  const fate = fc.constantFrom<Fate>('done', 'done', 'hold', 'unknown', 'lost', 'late')
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 60 }), async fates => {
      const sink = new ModelSink()
      sink.fates.push(...fates)
      const exactlyOnce = new ExactlyOnce(sink)
      while ((await exactlyOnce.open(undefined)).is !== 'done');
      const cursor = new Cursor()
      let at: KeptPosition = { place: { sequence: 0 }, totals: noTotals }
      for (let delivery = 1; delivery <= 8; delivery++) {
        const batches = [batchAt(delivery, [`${delivery}.0`, `${delivery}.1`])]
        const attempt = () =>
          exactlyOnce.attempt({
            write: () => {
              cursor.begin(batches)
              return sink.write(cursor)
            },
            settle: async outcome => settlementOf(cursor, outcome, { batches, before: at }),
          })
        let outcome = await attempt()
        while (outcome.is !== 'done') outcome = await attempt()
        at = outcome.behind
        expect(readKeptPosition(sink.position ?? '')).toEqual(at)
      }
      const wanted = Array.from({ length: 8 }, (_, index) => [`${index + 1}.0`, `${index + 1}.1`])
      expect(sink.values).toEqual(wanted.flat())
    }),
    { numRuns: 1_000 },
  )
})

test('a position that another has moved on meanwhile is never written over', async () => {
  const sink = new ModelSink()
  const exactlyOnce = new ExactlyOnce(sink)
  await exactlyOnce.open(undefined)
  const settle = () => Promise.reject(new Error('nothing is settled'))
  const step = { write: async () => ({ is: 'unknown', problem: { code: 'c', message: 'm' } }) as const, settle }
  expect(await exactlyOnce.attempt(step)).toMatchObject({ is: 'unknown' })
  sink.position = writeKeptPosition({ place: { sequence: 7, writer: 'w' }, totals: { ...noTotals, out: 7 } })
  await expect(exactlyOnce.attempt(step)).rejects.toThrow('moved by another')
})

/** A batch of a lane that nobody stored. */
const batchAt = (sequence: number, values: string[]) => ({
  sequence,
  payload: batchOf(...values),
  count: values.length,
  base: (sequence - 1) * values.length,
  epoch: 1,
  writer: 'w',
  position: '',
})

/** A lane with messages of these values, behind its opening. */
async function laneOf(route: string, ...messages: string[][]): Promise<LaneName> {
  const { lane } = await installation.route(route)
  const bus = await installation.connect('mqtt-ingress')
  const { signal } = installation
  const appender = await openLane({ bus, lane, uid: route.toUpperCase(), epoch: 1, signal, start: () => '', tell() {} })
  for (const values of messages) {
    await appender.append({ payload: batchOf(...values), count: values.length, position: 'p' })
  }
  return lane
}

async function run(lane: LaneName, sink: ModelSink, options: Partial<DeliverOptions> = {}) {
  const draining = new AbortController()
  const ended = deliver({
    bus: await installation.connect('kafka-egress'),
    lane,
    sinkService: 'kafka-egress',
    uid: lane.route.toUpperCase(),
    epoch: 1,
    sink,
    signal: installation.signal,
    draining: draining.signal,
    state() {},
    counts: { out: 0, dead: 0, filtered: 0, pending: 0 },
    ...options,
  })
  ended.catch(() => {})
  return {
    ended,
    drain() {
      draining.abort()
      return ended
    },
  }
}

const copyOf = async (lane: LaneName) =>
  (await installation.positions().read(positionKey({ ...lane, service: 'kafka-egress' })))?.value

/** Puts the copy back, as where its owner was killed before it had moved it. */
async function moveCopy(lane: LaneName, to: Partial<PositionDocument>): Promise<void> {
  const positions = installation.positions()
  const key = positionKey({ ...lane, service: 'kafka-egress' })
  const { value, revision } = (await positions.read(key)) ?? {}
  if (value === undefined || revision === undefined) throw new Error('no copy')
  await positions.update(key, { ...value, ...to }, revision)
}

/** The writer of the lane's opening, and so of all its messages. */
async function writerOf(lane: LaneName): Promise<string> {
  const { jsm } = installation.coordinator
  const message = await jsm.streams.getMessage(`MR_D_${lane.route}`, { seq: 1 })
  return message?.header.get('mr-writer') ?? ''
}

test('the position goes with the records, and a copy of it follows on the bus', async () => {
  const lane = await laneOf('follows', ['a', 'b'], ['c'])
  const sink = new ModelSink()
  const running = await run(lane, sink)
  await eventually(() => sink.values.length === 3, { what: 'all to be delivered' })
  await running.drain()
  const { place, totals } = readKeptPosition(sink.position ?? '')
  expect({ ...place, totals }).toMatchObject({ sequence: 3, totals: { ...noTotals, out: 3 } })
  expect(await copyOf(lane)).toMatchObject({ ...place, totals })
  expect(sink.closed).toBe(1)
})

test('the copy on the bus was left behind: it is moved up, and the lane goes on where the sink is', async () => {
  const lane = await laneOf('ahead', ['a', 'b'], ['c'], ['d'])
  const sink = new ModelSink()
  const place = { sequence: 3, writer: await writerOf(lane) }
  sink.position = writeKeptPosition({ place, totals: { ...noTotals, out: 3 } })
  const running = await run(lane, sink)
  await eventually(() => sink.values.length === 1, { what: 'the rest' })
  expect(sink.values).toEqual(['d'])
  await running.drain()
  expect(await copyOf(lane)).toMatchObject({ sequence: 4, totals: { ...noTotals, out: 4 } })
})

test('the sink keeps its position elsewhere now, and the copy of the old one was left behind: nothing comes twice', async () => {
  const lane = await laneOf('elsewhere', ['a', 'b'], ['c'], ['d'])
  const first = new ModelSink()
  first.keptIn = 'there'
  const opened = await run(lane, first)
  await eventually(() => first.values.length === 4, { what: 'all to be delivered' })
  await opened.drain()
  const behind = { place: { sequence: 3, writer: await writerOf(lane) }, totals: { ...noTotals, out: 3 } }
  await moveCopy(lane, { sequence: 2, totals: { ...noTotals, out: 2 } })
  const sink = new ModelSink()
  sink.elsewhere.set('there', writeKeptPosition(behind))
  // Answers that are lost while it opens, and a position of long ago where it keeps it now.
  sink.fates.push('done', 'unknown')
  sink.position = writeKeptPosition({ place: { sequence: 2, writer: 'w' }, totals: { ...noTotals, out: 2 } })
  const next = await run(lane, sink, { epoch: 2 })
  await eventually(() => sink.values.length === 1, { what: 'the rest' })
  expect(sink.values).toEqual(['d'])
  await next.drain()
  expect(await copyOf(lane)).toMatchObject({ sequence: 4, keptIn: 'here' })
})

test('the copy names a new place before anything is committed there', async () => {
  const lane = await laneOf('named', ['a'])
  const sink = new ModelSink()
  const seen: unknown[] = []
  sink.beforeCommit = async () => void seen.push((await copyOf(lane))?.keptIn)
  const running = await run(lane, sink)
  await eventually(() => sink.values.length === 1, { what: 'the record' })
  await running.drain()
  expect(seen).toEqual(['here'])
})

test('the sink was left behind, as where a route delivered at least once meanwhile: the copy counts', async () => {
  const lane = await laneOf('behind', ['a', 'b'], ['c'])
  const first = new ModelSink()
  const running = await run(lane, first)
  await eventually(async () => (await copyOf(lane))?.sequence === 3, { what: 'the copy' })
  await running.drain()
  const sink = new ModelSink()
  sink.position = writeKeptPosition({ place: { sequence: 2, writer: 'w' }, totals: { ...noTotals, out: 2 } })
  const next = await run(lane, sink, { epoch: 2 })
  await eventually(() => sink.calls.length > 0, { what: 'the sink to be asked' })
  await next.drain()
  expect(sink.values).toEqual([])
})

test.each([
  ['beyond the lane', 9, 'w', 'position_beyond'],
  ['at a message of another writer', 2, 'another', 'lane_replaced'],
])('a sink whose position is %s raises the alarm, and the copy stays', async (_, sequence, writer, code) => {
  const lane = await laneOf(`alarm-${code.replaceAll('_', '-')}`, ['a'])
  const sink = new ModelSink()
  sink.position = writeKeptPosition({ place: { sequence, writer }, totals: { ...noTotals, out: 1 } })
  const { ended } = await run(lane, sink)
  await expect(ended).rejects.toMatchObject({ code })
  expect(await copyOf(lane)).toMatchObject({ sequence: 0 })
})

test.each(['', 'metadata of a stranger', '{"sequence":-1}'])('a position of %j is none of ours', text => {
  expect(() => readKeptPosition(text)).toThrow(AlarmError)
})

test('dead letters are stored before the transaction is committed', async () => {
  const lane = await laneOf('letters', ['a', 'bad', 'c'])
  const sink = new ModelSink()
  sink.refused = view => valueOf(view) === 'bad'
  const stored: (number | undefined)[] = []
  sink.beforeCommit = async () => {
    const stream = deadLetterStream('letters')
    stored.push((await streamInfo(installation.coordinator, stream))?.state.messages)
  }
  sink.fates.push('done', 'done', 'unknown')
  const running = await run(lane, sink)
  await eventually(() => sink.values.length === 2, { what: 'the others' })
  await running.drain()
  expect(stored).toEqual([1, 1])
  expect(await copyOf(lane)).toMatchObject({ totals: { ...noTotals, out: 2, dead: 1 } })
})

test('in a lane where nothing comes the position is committed again, daily', async () => {
  const lane = await laneOf('idle', ['a'])
  const sink = new ModelSink()
  const running = await run(lane, sink)
  await eventually(() => sink.values.length === 1, { what: 'the record' })
  await running.drain()
  const kept = sink.position
  vi.useFakeTimers({ toFake: ['performance'] })
  const recover = sink.recover.bind(sink)
  sink.recover = () => {
    vi.advanceTimersByTime(25 * 3_600_000)
    return recover()
  }
  sink.calls.splice(0)
  const next = await run(lane, sink, { epoch: 2 })
  const committed = () => sink.calls.join() === 'recover,write,commit'
  await vi.waitFor(() => expect(committed()).toBe(true), { timeout: 10_000 })
  await next.drain()
  expect(sink.position).toBe(kept)
  expect(sink.values).toEqual(['a'])
})
