import { expect, test } from 'vitest'
import { Liveness } from '../src/liveness.ts'

test('a heartbeat that was found makes an instance unknown, one that was seen to change makes it live', () => {
  const liveness = new Liveness()
  liveness.heard('a.0', { startId: 's', beat: 7 }, 0)
  expect(liveness.presence('a.0', 10)).toBe('unknown')
  liveness.heard('a.0', { startId: 's', beat: 7 }, 20)
  expect(liveness.presence('a.0', 30)).toBe('unknown')
  liveness.heard('a.0', { startId: 's', beat: 8 }, 40)
  expect(liveness.presence('a.0', 50)).toBe('live')
})

test('five seconds without a change make it lost, and a new process brings it back', () => {
  const liveness = new Liveness()
  liveness.heard('a.0', { startId: 's', beat: 1 }, 0)
  liveness.heard('a.0', { startId: 's', beat: 2 }, 1_000)
  expect(liveness.presence('a.0', 5_999)).toBe('live')
  expect(liveness.silent(5_999)).toEqual([])
  expect(liveness.presence('a.0', 6_000)).toBe('lost')
  expect(liveness.silent(6_000)).toEqual(['a.0'])
  liveness.heard('a.0', { startId: 't', beat: 1 }, 6_500)
  expect(liveness.presence('a.0', 6_500)).toBe('live')
})

test('who could not hear waits a whole lease before it calls anyone lost', () => {
  const liveness = new Liveness()
  liveness.heard('a.0', { startId: 's', beat: 1 }, 0)
  liveness.bePatient(20_000)
  expect([liveness.presence('a.0', 24_999), liveness.presence('b.0', 24_999)]).toEqual(['unknown', 'unknown'])
  expect([liveness.presence('a.0', 25_000), liveness.presence('b.0', 25_000)]).toEqual(['lost', 'lost'])
})
