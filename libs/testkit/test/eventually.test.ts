import { expect, test } from 'vitest'
import { eventually } from '../src/index.ts'

test('gives what the check gave, as soon as it gives something', async () => {
  let looks = 0
  expect(await eventually(() => ++looks === 3 && 'there', { what: 'three looks', interval: 1 })).toBe('there')
  expect(looks).toBe(3)
})

test('a check that throws means not yet', async () => {
  let looks = 0
  const check = async () => {
    if (++looks < 3) throw new Error('not yet')
    return true
  }
  expect(await eventually(check, { what: 'three looks', interval: 1 })).toBe(true)
})

test('says what never happened, and why the last look failed', async () => {
  const check = Promise.reject(new Error('the reason'))
  const waiting = eventually(() => check, { what: 'the thing', timeout: 10, interval: 1 })
  await expect(waiting).rejects.toThrow('the thing: not within 10 ms: the reason')
})
