import { describe, expect, test } from 'vitest'
import { filterProblem, sharedFilter, topicMatches } from '../src/index.ts'

describe('filterProblem', () => {
  test.each(['a', 'a/b', '/', 'a//b', '+', '#', '+/a/#', '/+', '$SYS/#', '$share/g/a/#', '$share/g//', ' * > ', 'ü'])(
    '%s is fine',
    filter => expect(filterProblem(filter)).toBeUndefined(),
  )

  test.each([
    ['', 'empty'],
    ['a/#/b', 'last'],
    ['a+', 'alone'],
    ['a/b#', 'alone'],
    ['#/a', 'last'],
    ['$share//x', 'name'],
    ['$share/g', 'missing'],
    ['$share/g/', 'missing'],
    ['$share/a+/x', 'name'],
    ['$share/g/a/#/b', 'last'],
    ['a\0', 'NUL'],
    ['\ud800', 'text'],
    ['a'.repeat(65_536), '65,535'],
  ])('%j is not', (filter, why) => expect(filterProblem(filter)).toContain(why))
})

describe('topicMatches', () => {
  test.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['+', 'a', true],
    ['+', '/a', false],
    ['+/+', '/a', true],
    ['/+', '/a', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/+/c', 'a//c', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
  ])('%s and %s: %s', (filter, topic, matches) => expect(topicMatches(filter, topic)).toBe(matches))
})

test('a shared filter is a valid one', () => {
  const filter = sharedFilter('plant', 'telemetry', 'a/+/#')
  expect(filter).toBe('$share/plant-telemetry/a/+/#')
  expect(filterProblem(filter)).toBeUndefined()
})
