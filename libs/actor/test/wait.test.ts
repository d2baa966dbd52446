import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { unlessAborted } from '../src/index.ts'

test('a promise that comes first is what it gives, or why it does not', async () => {
  const { signal } = new AbortController()
  expect(await unlessAborted(Promise.resolve('here'), signal)).toBe('here')
  await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
})

test('an abort comes first, before or while it waits', async () => {
  const abort = new AbortController()
  const { promise, reject } = Promise.withResolvers<string>()
  const waiting = unlessAborted(promise, abort.signal)
  abort.abort()
  expect(await waiting).toBeUndefined()
  expect(await unlessAborted(promise, abort.signal)).toBeUndefined()
  // Nobody waits for it any more, and nobody is told.
  reject(new Error('late'))
})

test('nothing stays behind with a signal that lives on', async () => {
  const { signal } = new AbortController()
  for (let call = 0; call < 100; call++) await unlessAborted(Promise.resolve(), signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
