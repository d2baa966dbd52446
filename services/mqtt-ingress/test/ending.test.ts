/** How a slot ends: with all that its session holds, or without. */
import { setTimeout } from 'node:timers/promises'
import { noLeaks } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { firsts, numbered, numbers } from './numbered.ts'
import { Rig } from './rig.ts'

noLeaks()

describe('a slot that retires', () => {
  test('takes what its session holds, ends it, and may come back without an alarm', async () => {
    await using rig = await Rig.start()
    const first = rig.run()
    await first.is('running')
    await rig.publish(['t/1', '1'])
    await rig.stored(1)
    await first.drain()
    await rig.publish(...numbered(2, 300))
    const retired = rig.run({ retire: true })
    await retired.ended
    expect(await rig.values()).toEqual(numbers(1, 300))
    expect(await rig.position()).toEqual({ clientId: 'test-r-0', filters: [], subscribed: false })
    await rig.publish(['t/1', 'for nobody'])
    const back = rig.run()
    await back.is('running')
    await rig.publish(['t/1', 'back'])
    await rig.stored(301)
    expect((await rig.values()).at(-1)).toBe('back')
    expect(back.told).not.toContain('running session_lost')
  })

  test('while its lane is full does not take the silence of a broker that waits for acknowledgements for the end', async () => {
    await using rig = await Rig.start()
    const first = rig.run()
    await first.is('running')
    await rig.publish(['t/1', '1'])
    await rig.stored(1)
    await first.drain()
    await rig.publish(...numbered(2, 30_000))
    const { config, state } = await rig.coordinator.jsm.streams.info('MR_D_r')
    await rig.coordinator.jsm.streams.update('MR_D_r', { ...config, max_bytes: state.bytes + 900 })
    const retired = rig.run({ retire: true })
    await retired.is('holding stream_full')
    // Longer than two keepalives of 1 s, after which silence would be the end.
    await setTimeout(3_000)
    await rig.coordinator.jsm.streams.update('MR_D_r', config)
    await retired.ended
    expect(firsts(await rig.values())).toEqual(numbers(1, 30_000))
  })
})

describe('a slot whose messages are thrown away', () => {
  test.each([undefined, 'line-1'])(
    'ends its session at once, and none of it flows into the next route of that name (prefix %s)',
    async prefix => {
      await using rig = await Rig.start()
      rig.clientIdPrefix = prefix
      const first = rig.run()
      await first.is('running')
      await first.drain()
      expect(await rig.position()).toMatchObject({ clientId: prefix === undefined ? 'test-r-0' : 'line-1:test-r-0' })
      await rig.publish(...numbered(1, 100))
      await rig.run({ retire: true, discard: true }).ended
      await rig.publish(['t/1', 'for nobody'])
      // Of a lane that was deleted nobody would say that; here it is still there, and shows that the session is not.
      const next = rig.run()
      await next.is('running session_lost')
      await rig.publish(['t/1', 'next'])
      await rig.stored(1)
      expect(await rig.values()).toEqual(['next'])
    },
  )

  test('does not wait for a broker that is down', async () => {
    await using rig = await Rig.start()
    await rig.broker.kill()
    await rig.run({ retire: true, discard: true }).ended
    expect(await rig.position()).toBeNull()
  })
})
