import { expect, test } from 'vitest'
import { Gate } from '../src/gate.ts'

test('No more than its places are under way at a time, in order, and one that fails leaves its place', async () => {
  const gate = new Gate(2)
  const begun: number[] = []
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const act = (index: number, until: Promise<void>) =>
    gate.pass(async () => {
      begun.push(index)
      await until
    })
  const all = [act(1, first.promise), act(2, second.promise), act(3, second.promise), act(4, second.promise)]
  expect(begun).toEqual([1, 2])
  first.reject(new Error('lost'))
  await expect(all[0]).rejects.toThrow('lost')
  expect(begun).toEqual([1, 2, 3])
  second.resolve()
  await Promise.all(all.slice(1))
  expect(begun).toEqual([1, 2, 3, 4])
})
