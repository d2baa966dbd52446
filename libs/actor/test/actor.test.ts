import { expect, test } from 'vitest'
import { aborted, backoff, delay, type Life, type State, supervise, type Supervision } from '../src/index.ts'

const again: Supervision['decide'] = error => ({ restart: true, reason: { code: 'broken', message: String(error) } })
const quick = () => backoff({ first: 1, cap: 2 })

/** Lets a test see every state that an actor goes through. */
function watched(child: (life: Life) => Promise<void>, supervision: Partial<Supervision> = {}) {
  const states: State[] = []
  const actor = supervise('one', child, {
    decide: again,
    backoff: quick(),
    ...supervision,
    changed: () => states.push(actor.state),
  })
  return { actor, states }
}

test('the back-off doubles, stays within half a step, is capped, and begins anew after a reset', () => {
  const low = backoff({ first: 100, cap: 1000, random: () => 0 })
  expect([1, 2, 3, 4, 5, 6].map(() => low.next())).toEqual([50, 100, 200, 400, 500, 500])
  low.reset()
  expect(low.next()).toBe(50)
  const high = backoff({ first: 100, cap: 1000, random: () => 0.999 })
  expect(high.next()).toBeCloseTo(100, 0)
})

test('waits end at once when the signal has already aborted', async () => {
  const begun = performance.now()
  await delay(60_000, AbortSignal.abort())
  await aborted(AbortSignal.abort())
  expect(performance.now() - begun).toBeLessThan(1_000)
})

test('waits end when the signal aborts, and a delay ends by itself', async () => {
  const stop = new AbortController()
  const waits = Promise.all([delay(60_000, stop.signal), aborted(stop.signal)])
  stop.abort()
  await waits
  const begun = performance.now()
  await delay(20, new AbortController().signal)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(19)
})

test('a child that throws is started again, and one that returns is stopped', async () => {
  let runs = 0
  const { actor, states } = watched(async life => {
    runs++
    life.state('running')
    if (runs < 3) throw new Error('no luck')
  })
  await actor.ended
  expect(runs).toBe(3)
  expect(states).toEqual(['running', 'failed', 'starting', 'running', 'failed', 'starting', 'running', 'stopped'])
})

test('a final failure is not started again and says why', async () => {
  const { actor } = watched(() => Promise.reject(new Error('fenced')), {
    decide: () => ({ restart: false, reason: { code: 'fenced', message: 'another owner' } }),
  })
  await actor.ended
  expect(actor.state).toBe('failed')
  expect(actor.reason).toEqual({ code: 'fenced', message: 'another owner' })
})

test('draining lets the child finish, and it can no longer say that it runs', async () => {
  const { actor, states } = watched(async life => {
    life.state('running')
    await aborted(life.draining)
    life.state('holding', { code: 'x', message: 'x' })
    expect(life.signal.aborted).toBe(false)
  })
  await delay(5, new AbortController().signal)
  await actor.drain(60_000)
  expect(states).toEqual(['running', 'draining', 'stopped'])
})

test('a child that does not finish draining in time is aborted', async () => {
  const { actor } = watched(life => aborted(life.signal))
  await actor.drain(10)
  expect(actor.state).toBe('stopped')
})

test('draining ends the wait before the next run', async () => {
  const { actor } = watched(() => Promise.reject(new Error('down')), {
    backoff: backoff({ first: 60_000, cap: 60_000 }),
  })
  await delay(5, new AbortController().signal)
  expect(actor.state).toBe('failed')
  await actor.drain(60_000)
  expect(actor.state).toBe('stopped')
})

test('a failure while aborting is not an error', async () => {
  let failures = 0
  const { actor } = watched(
    async life => {
      await aborted(life.signal)
      throw new Error('connection closed')
    },
    {
      decide: error => {
        failures++
        return again(error)
      },
    },
  )
  await delay(5, new AbortController().signal)
  actor.abort()
  await actor.ended
  expect(failures).toBe(0)
  expect(actor.state).toBe('stopped')
})

test('the back-off begins anew only after a run that held', async () => {
  const resets: number[] = []
  let runs = 0
  const wait = { next: () => 1, reset: () => resets.push(runs) }
  const { actor } = watched(
    async life => {
      runs++
      if (runs === 4) return
      if (runs !== 1) life.state('running')
      if (runs === 3) await delay(30, life.signal)
      throw new Error('down')
    },
    { heldAfter: 25, backoff: wait },
  )
  await actor.ended
  expect(resets).toEqual([3])
})
