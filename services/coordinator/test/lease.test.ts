import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Lease } from '../src/lease.ts'
import { Alone } from './alone.ts'

noLeaks()

test("what somebody has spoilt in the leader's key is taken over like a silent leader, with a term above all", async () => {
  await using alone = await Alone.open()
  const { store, bus } = alone
  await bus.js.publish('$KV.mr_leader.leader', 'no leader')
  const lease = new Lease(store.leader, { instance: 'c0', startId: 's', highestTerm: async () => 7 })
  const begun = performance.now()
  expect(await lease.take(AbortSignal.timeout(10_000))).toBe(8)
  expect(performance.now() - begun).toBeGreaterThan(2_900)
  expect(lease.held).toBe(true)
  expect((await store.leader.read('leader'))?.value).toMatchObject({ instance: 'c0', term: 8 })
})
