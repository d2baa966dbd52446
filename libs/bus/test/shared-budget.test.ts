/** Readers of lanes in one process, which share a budget of bytes (R8). */
import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Budget, type Bus, type LaneName, LaneReader, openLane } from '../src/index.ts'

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

/** A lane that holds so many batches of one record. */
async function filled(route: string, batches: number, bytes: number): Promise<LaneName> {
  const { lane } = await installation.route(route)
  const start = (previous = 'start') => previous
  const owner = { bus: source, signal: installation.signal, tell() {} }
  const appender = await openLane({ ...owner, lane, uid: route.toUpperCase(), epoch: 1, start })
  for (let i = 0; i < batches; i++)
    await appender.append({ payload: Buffer.alloc(bytes, i), count: 1, position: `${i}` })
  return lane
}

const reading = (lane: LaneName, budget: Budget, signal: AbortSignal, prefetchBytes = 4 * 2 ** 20) =>
  new LaneReader({
    bus: sink,
    lane,
    uid: lane.route.toUpperCase(),
    after: { sequence: 0 },
    base: 0,
    signal,
    budget,
    prefetchBytes,
  })

test('Lanes that share a budget stay within it, go on beside a slow one, and hold nothing in the end', async () => {
  const lanes = await Promise.all(['shared-a', 'shared-b', 'shared-c'].map(route => filled(route, 20, 50_000)))
  const budget = new Budget(100_000)
  const own = new AbortController()
  const [slow, ...others] = lanes.map(lane => reading(lane, budget, own.signal, 60_000))
  let most = 0
  const goThrough = async (reader: LaneReader) => {
    for (let read = 0; read < 20; ) {
      await reader.waiting(own.signal)
      most = Math.max(most, budget.held)
      read += reader.take()?.count ?? 0
    }
  }
  await eventually(() => slow?.take()?.payload.length, { what: 'the slow one to have a batch' })
  await Promise.all(others.map(goThrough))
  // What was taken counts until it is done with.
  expect(budget.held).toBeGreaterThanOrEqual(50_000)
  // The budget, and of each lane one pull.
  expect(most).toBeLessThan(100_000 + 3 * 60_000)
  own.abort()
  await eventually(() => budget.held === 0, { what: 'all to be given back' })
})

test('A lane that has nothing more to come keeps nothing from the others, though its pull goes on', async () => {
  const lanes = await Promise.all(Array.from({ length: 10 }, (_, index) => filled(`short-${index}`, 2, 50_000)))
  const budget = new Budget(96 * 2 ** 20)
  const own = new AbortController()
  // Each asks for 4 MiB, together more than may be asked for at a time.
  const readers = lanes.map(lane => reading(lane, budget, own.signal))
  await eventually(() => readers.every(({ waits }) => waits.bytes === 100_000), { what: 'all lanes to be read' })
  expect(budget.held).toBe(10 * 100_000)
  own.abort()
  await eventually(() => budget.held === 0, { what: 'all to be given back' })
})

test('A batch keeps no more memory than its message: the buffer of the client grew to twice of that', async () => {
  const lane = await filled('exact', 1, 900_000)
  const own = new AbortController()
  const reader = reading(lane, new Budget(2 ** 20), own.signal)
  await reader.waiting(own.signal)
  expect(reader.take()?.payload.buffer.byteLength).toBeLessThan(902_000)
  own.abort()
})

test('A batch in parts comes whole although the budget is spent', async () => {
  const lane = await filled('parts', 1, 3_000_000)
  const budget = new Budget(1_000)
  using spent = budget.hold(1_000)
  const own = new AbortController()
  const reader = reading(lane, budget, own.signal)
  let bytes = 0
  for (; bytes === 0; bytes = reader.take()?.payload.length ?? 0) await reader.waiting(own.signal)
  expect(bytes).toBe(3_000_000)
  own.abort()
  await eventually(() => budget.held === spent.bytes, { what: 'all to be given back' })
})
