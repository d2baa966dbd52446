import { aborted, delay, type Life } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import { eventually } from '@millrace/testkit'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Placement } from '../src/placement.ts'
import { sink } from './rig.ts'

/** Actors that take a moment to drain, and less of one to abort. */
class Actors {
  readonly running = new Map<string, ActorAssignment>()
  overlaps = 0
  readonly placement = new Placement({
    run: (assignment, _measures, life) => this.#run(assignment, life),
    decide: (_assignment, error) => ({ restart: true, reason: { code: 'failed', message: String(error) } }),
    changed() {},
  })

  async #run(assignment: ActorAssignment, life: Life): Promise<void> {
    if (this.running.has(assignment.id)) this.overlaps++
    this.running.set(assignment.id, assignment)
    life.state('running')
    await aborted(life.draining)
    await delay(2, life.signal)
    await delay(1, new AbortController().signal)
    this.running.delete(assignment.id)
  }
}

const names = ['a', 'b', 'c']
const assignments = fc.uniqueArray(
  fc
    .record({ name: fc.constantFrom(...names), epoch: fc.nat(3), version: fc.nat(1), retire: fc.boolean() })
    .map(({ name, epoch, version, retire }) => sink(name, epoch, { version, ...(retire && { retire }) })),
  { selector: ({ id }) => id },
)
const some = fc.option(fc.constantFrom(...names.map(name => sink(name, 0).id)), { nil: undefined })
const step = fc.oneof(
  assignments.map(wanted => ({ is: 'obey', wanted }) as const),
  fc.constant({ is: 'abandon' } as const),
  some.map(id => ({ is: 'pause', id }) as const),
  some.map(id => ({ is: 'resume', id }) as const),
  fc.nat(4).map(ms => ({ is: 'wait', ms }) as const),
)

test('whatever comes in whatever order: one run at a time, and in the end exactly what is wanted runs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), assignments, async (steps, wanted) => {
      const actors = new Actors()
      const { placement } = actors
      for (const next of steps) {
        if (next.is === 'obey') placement.obey(next.wanted)
        else if (next.is === 'abandon') placement.abandon()
        else if (next.is === 'wait') await delay(next.ms, new AbortController().signal)
        else placement[next.is](next.id)
      }
      placement.resume(undefined)
      placement.obey(wanted)
      const byId = (one: ActorAssignment, other: ActorAssignment) => (one.id < other.id ? -1 : 1)
      const expected = JSON.stringify(wanted.toSorted(byId))
      const settled = () => placement.reports().every(({ state }) => state === 'running')
      await eventually(() => settled() && JSON.stringify([...actors.running.values()].sort(byId)) === expected, {
        what: `${expected} runs`,
        interval: 1,
      })
      await placement.close()
      expect(actors.running.size).toBe(0)
      expect(actors.overlaps).toBe(0)
    }),
    { numRuns: 150 },
  )
})

test('what an actor has counted lives on over its restarts, and not over its going away', async () => {
  const outs: number[] = []
  const placement: Placement = new Placement({
    async run(_assignment, { counts }, life) {
      counts.out++
      outs.push(counts.out)
      await aborted(life.draining)
    },
    decide: () => ({ restart: false, reason: { code: 'failed', message: '' } }),
    changed() {},
  })
  const runs = (times: number) => eventually(() => outs.length === times, { what: `${times} runs`, interval: 1 })
  placement.obey([sink('a', 1)])
  await runs(1)
  placement.obey([sink('a', 2)])
  await runs(2)
  placement.obey([])
  await eventually(() => placement.reports().length === 0, { what: 'gone', interval: 1 })
  placement.obey([sink('a', 3)])
  await runs(3)
  await placement.close()
  expect(outs).toEqual([1, 2, 1])
})

test('an actor that failed for good is not forgotten with the lease: it neither runs again nor looks well', async () => {
  let runs = 0
  const placement = new Placement({
    run: () => {
      runs++
      return Promise.reject(new Error('position_beyond'))
    },
    decide: (_assignment, error) => ({ restart: false, reason: { code: 'alarm', message: String(error) } }),
    changed() {},
  })
  const failed = () => placement.reports().some(({ state, problem }) => state === 'failed' && problem?.code === 'alarm')
  placement.obey([sink('a', 1)])
  await eventually(failed, { what: 'the alarm' })
  placement.abandon()
  placement.obey([sink('a', 1)])
  expect({ failed: failed(), runs }).toEqual({ failed: true, runs: 1 })
  placement.obey([sink('a', 2)])
  await eventually(() => runs === 2, { what: 'the run under the next epoch' })
})
