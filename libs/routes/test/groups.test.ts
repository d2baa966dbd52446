import { expect, test } from 'vitest'
import { between, lake, plant, problemsOf, withoutPlace } from './documents.ts'

const near = lake.replace('name: lake', 'name: near').replace('brokers: [', 'brokers: [other:9092, ')
const far = lake.replace('name: lake', 'name: far').replace('127.0.0.1:9092', 'far:9092')

/** What is told of two routes that read so. */
function told(one: string, other: string): string[] {
  const sinks = ['connection: plant, topic: x', 'connection: plant, topic: y']
  const routes = [one, other].map((source, index) => between(source, sinks[index] ?? '', { name: `r${index}` }))
  return problemsOf([...routes, plant, lake, near, far].join('---\n')).map(withoutPlace)
}

const warning = (other: string) =>
  `warning: spec.source.group: ${other} commits to this group as well, of topics that both read: what tools see of the lag is of either`

test.each<[string, string, string]>([
  ['one topic', 'connection: lake, topics: [a, b], group: g', 'connection: lake, topics: [b], group: g'],
  [
    'a pattern that matches it',
    'connection: lake, topics: [ab], group: g',
    'connection: lake, topics: [/a.*/], group: g',
  ],
  ['two patterns', 'connection: lake, topics: [/a/], group: g', 'connection: lake, topics: [/b/], group: g'],
  ['another name of the cluster', 'connection: lake, topics: [a], group: g', 'connection: near, topics: [a], group: g'],
])('two routes commit to one group: %s', (_what, one, other) => {
  expect(told(one, other)).toEqual([warning('r1'), warning('r0')])
})

test.each<[string, string, string]>([
  ['other topics', 'connection: lake, topics: [a], group: g', 'connection: lake, topics: [b], group: g'],
  [
    'a pattern that does not match',
    'connection: lake, topics: [b], group: g',
    'connection: lake, topics: [/a.*/], group: g',
  ],
  ['other groups', 'connection: lake, topics: [a], group: g', 'connection: lake, topics: [a], group: h'],
  ['groups by their own names', 'connection: lake, topics: [a]', 'connection: lake, topics: [a]'],
  ['another cluster', 'connection: lake, topics: [a], group: g', 'connection: far, topics: [a], group: g'],
])('they do not: %s', (_what, one, other) => expect(told(one, other)).toEqual([]))
