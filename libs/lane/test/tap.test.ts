import type { LaneBatch } from '@millrace/bus'
import { expect, test } from 'vitest'
import { Cursor, type Filter } from '../src/cursor.ts'
import { Tap } from '../src/index.ts'
import { batchOf } from './records.ts'

const { signal } = new AbortController()
const base64 = (text: string) => Buffer.from(text).toString('base64')

const messageOf = (sequence: number, ...values: string[]): LaneBatch => ({
  epoch: 1,
  writer: 'w',
  base: 0,
  count: values.length,
  position: 'p',
  sequence,
  payload: batchOf(...values),
})

interface Wish {
  filter?: Filter
  expired?: number
  /** The index of a record that the sink refuses. */
  refused?: number
}

/** Delivers messages as the engine does, to a sink that puts everything into topic `t`. Returns how many it told of. */
function delivered(tap: Tap, messages: LaneBatch[], { filter, expired = 0, refused }: Wish = {}): number {
  const cursor = new Cursor(filter)
  const sampling = tap.begin()
  cursor.begin(messages, sampling)
  let told = 0
  while (cursor.next()) {
    cursor.tap?.(() => {
      told++
      return { to: { topic: 't' } }
    })
  }
  if (refused !== undefined) {
    const problem = { code: 'too_large', message: 'Too large.' }
    cursor.aside.push({ ...cursor.find(refused), count: 1, problem })
  }
  if (sampling !== undefined) tap.keep(sampling.settled(cursor.aside, expired))
  return told
}

test('nothing is asked of the sink, and nothing kept, while nobody looks', async () => {
  const tap = new Tap()
  expect(tap.begin()).toBeUndefined()
  expect(delivered(tap, [messageOf(1, 'a')])).toBe(0)
})

test('who waits is told of the first records of each message of the next delivery, with what became of them', async () => {
  const tap = new Tap()
  const answer = tap.answer({ op: 'tap', after: 4 }, signal)
  const filter: Filter = ({ value }) => value !== 'no'
  delivered(tap, [messageOf(5, 'a', 'no', 'b', 'c', 'd', 'e'), messageOf(6, 'f')], { filter, refused: 1 })
  const [a, no, b, ...rest] = (await answer).samples
  const out = { to: { topic: 't' }, key: base64('k'), headers: [] }
  expect(a).toEqual({ sequence: 5, record: 0, outcome: 'delivered', ...out })
  expect(no).toEqual({ sequence: 5, record: 1, outcome: 'filtered' })
  const problem = { code: 'too_large', message: 'Too large.' }
  expect(b).toEqual({ sequence: 5, record: 2, outcome: 'dead', problem, ...out })
  expect(rest.map(({ sequence, record }) => [sequence, record])).toEqual([
    [5, 3],
    [6, 0],
  ])
})

test('what happens between two questions is in the second answer, the newest of it', async () => {
  const tap = new Tap()
  const first = tap.after(0, signal)
  delivered(tap, [messageOf(1, 'a')])
  await first
  for (let sequence = 2; sequence <= 101; sequence++) delivered(tap, [messageOf(sequence, 'a')])
  const sequences = (await tap.after(1, signal)).map(({ sequence }) => sequence)
  expect(sequences).toEqual(Array.from({ length: 32 }, (_, index) => 70 + index))
  expect(await tap.after(100, signal)).toHaveLength(1)
})

test('a record that can never pass is told though the sink had no place for it; too late ones are told as not sure', async () => {
  const tap = new Tap()
  const answer = tap.after(0, signal)
  delivered(tap, [messageOf(1, 'a')], {
    filter: () => {
      throw new Error('no such field')
    },
  })
  expect(await answer).toEqual([
    { sequence: 1, record: 0, outcome: 'dead', problem: { code: 'expression', message: 'The filter: no such field' } },
  ])
  delivered(tap, [messageOf(2, 'a')], { expired: 1 })
  expect(await tap.after(1, signal)).toMatchObject([{ outcome: 'delivered', problem: { code: 'expired' } }])
})

test('large headers leave room for one answer: what does not fit is left out', async () => {
  const tap = new Tap()
  const answer = tap.after(0, signal)
  const sampling = tap.begin()
  const cursor = new Cursor()
  cursor.begin([messageOf(1, 'a', 'b', 'c', 'd')], sampling)
  const headers: [string, Buffer][] = [['large', Buffer.alloc(70_000)]]
  while (cursor.next()) cursor.tap?.(() => ({ to: { topic: 't' }, headers }))
  tap.keep(sampling?.settled([], 0) ?? [])
  const { length } = JSON.stringify(await answer)
  expect(length).toBeGreaterThan(180_000)
  expect(length).toBeLessThan(300_000)
})

test('an answer waits no longer than its signal', async () => {
  const stop = new AbortController()
  const answer = new Tap().after(0, stop.signal)
  stop.abort()
  expect(await answer).toEqual([])
})
