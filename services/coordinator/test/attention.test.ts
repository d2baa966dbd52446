import type { AssignmentDocument, InstanceDocument } from '@millrace/bus'
import { expect, test } from 'vitest'
import { Attention } from '../src/attention.ts'
import type { Revised } from '../src/situation.ts'

const told = (revision: number): Revised<AssignmentDocument> => {
  return { revision, document: { term: 1, startId: 's', actors: [] } }
}

function heartbeat(revision: number, startId = 's'): InstanceDocument {
  return { startId, beat: 1, version: '1', term: 1, revision, state: 'running', actors: [] }
}

test('who names the same old document for 30 s is deaf, however often it is told anew, until it sees the newest', () => {
  const attention = new Attention()
  const at = (now: number, seen: number, newest: number) => attention.isDeaf('a.0', heartbeat(seen), told(newest), now)
  expect([at(0, 2, 3), at(20_000, 2, 4), at(29_999, 2, 5)]).toEqual([false, false, false])
  expect([at(30_000, 2, 5), at(40_000, 2, 6)]).toEqual([true, true])
  expect([at(40_001, 6, 6), at(40_002, 6, 7), at(70_001, 6, 7), at(70_002, 6, 7)]).toEqual([false, false, false, true])
})

test('who sees something new, is another process, or is not heard, has 30 s again', () => {
  const attention = new Attention()
  const at = (now: number, beat: InstanceDocument) => attention.isDeaf('a.0', beat, told(9), now)
  at(0, heartbeat(1))
  expect([at(29_000, heartbeat(2)), at(58_999, heartbeat(2))]).toEqual([false, false])
  expect([at(59_000, heartbeat(2, 't')), at(88_999, heartbeat(2, 't'))]).toEqual([false, false])
  expect(at(89_000, heartbeat(2, 't'))).toBe(true)
  attention.forget('a.0')
  expect(at(89_001, heartbeat(2, 't'))).toBe(false)
})
