import { parseStored, readDocuments, sinkOf, storedConnection, storedRoute } from '@millrace/routes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filterMatches, filterMayMatch } from '../src/mqtt-filter.ts'
import { between, problemsOf, together, withoutPlace } from './documents.ts'

/** `a/#>x` reads `a/#` and writes `x`. MQTT's end is `plant`, Kafka's `lake`; `rest` is of each route. */
interface Hop {
  reads: string
  writes: string
  rest?: string
}

const mqtt = (topics: string) => `connection: plant, topics: ['${topics}']`
const kafka = (topics: string) => `connection: lake, topics: ['${topics}']`
const toMqtt = (topic: string) => `connection: plant, topic: '${topic}'`
const toKafka = (topic: string) => `connection: lake, topic: '${topic}'`

/** The loops that are told of these routes, called r0, r1, ... */
function loops(...hops: Hop[]): string[] {
  const routes = hops.map(({ reads, writes, rest = '' }, index) => between(reads, writes, { name: `r${index}`, rest }))
  return problemsOf(together(routes.join('---\n')))
    .map(withoutPlace)
    .filter(problem => problem.includes('comes back') || problem.includes('may come back'))
}

const certain = (way: string) => `spec.sink.topic: what it writes comes back to it for ever: ${way}`
const possible = (way: string) => `warning: spec.sink.topic: what it writes may come back to it: ${way}`

test.each<[string, Hop, string[]]>([
  ['a filter that matches', { reads: mqtt('a/#'), writes: toMqtt('a/b') }, [certain('r0 -> r0')]],
  ['a filter that does not', { reads: mqtt('a/+'), writes: toMqtt('a/b/c') }, []],
  ['the same topic again', { reads: mqtt('a/#'), writes: toMqtt('${source.topic}') }, [certain('r0 -> r0')]],
  ['a template that may match', { reads: mqtt('a/#'), writes: toMqtt('a/${record.key}') }, [possible('r0 -> r0')]],
  ['a template of another tree', { reads: mqtt('a/#'), writes: toMqtt('copy/${source.topic}') }, []],
  ['$ is not reached by a wildcard', { reads: mqtt('#'), writes: toMqtt('$copy/${source.topic}') }, []],
  ['one Kafka topic', { reads: kafka('t'), writes: toKafka('t') }, [certain('r0 -> r0')]],
  ['a pattern', { reads: kafka('/t-.*/'), writes: toKafka('t-copy') }, [certain('r0 -> r0')]],
  ['a pattern that does not match', { reads: kafka('/t-.*/'), writes: toKafka('copy') }, []],
  ['a pattern, and a template', { reads: kafka('/t-.*/'), writes: toKafka('c-${record.key}') }, [possible('r0 -> r0')]],
  ['a name, and a template', { reads: kafka('t-a'), writes: toKafka('c-${record.key}') }, []],
  [
    'a name, and a template that may make it',
    { reads: kafka('t-a'), writes: toKafka('t-${record.key}') },
    [possible('r0 -> r0')],
  ],
  ['the same name in another system', { reads: mqtt('t'), writes: toKafka('t') }, []],
  [
    'a filter of records may end it',
    { reads: kafka('t'), writes: toKafka('t'), rest: '  filter: record.key == null\n' },
    [possible('r0 -> r0')],
  ],
])('%s', (_what, hop, expected) => expect(loops(hop)).toEqual(expected))

describe('over several routes', () => {
  const out = { reads: mqtt('a/#'), writes: toKafka('t') }

  test('a circle is told of each route in it, and of no other', () => {
    const into = { reads: kafka('x'), writes: toMqtt('a/x') }
    expect(loops(out, { reads: kafka('t'), writes: toMqtt('a/b') }, into)).toEqual([
      certain('r0 -> r1 -> r0'),
      certain('r1 -> r0 -> r1'),
    ])
  })

  test('one template in it makes the circle possible', () => {
    expect(loops(out, { reads: kafka('t'), writes: toMqtt('a/${record.key}') })).toEqual([
      possible('r0 -> r1 -> r0'),
      possible('r1 -> r0 -> r1'),
    ])
  })

  test('there and elsewhere is none', () => {
    expect(loops(out, { reads: kafka('t'), writes: toMqtt('b') })).toEqual([])
  })

  test('what is stored is checked like documents: a certain circle is refused, a possible one is not', () => {
    const back = (topic: string) => between(kafka('t'), toMqtt(topic), { name: 'back' })
    const text = together([between(mqtt('a/#'), toKafka('t')), back('b')].join('---\n'))
    const { connections, routes } = readDocuments([{ file: 'f', text }])
    const [there, elsewhere] = routes
    if (there === undefined || elsewhere === undefined) throw new Error('no routes')
    const stored = (topic: string) =>
      parseStored({
        connections: Object.fromEntries(connections.map(connection => [connection.name, storedConnection(connection)])),
        routes: {
          r: storedRoute(there),
          back: storedRoute({ ...elsewhere, sink: { ...sinkOf(elsewhere, 'mqtt'), topic } }),
        },
      })
    expect(stored('a/b').problems.map(({ name, code }) => [name, code])).toEqual([
      ['r', 'loop'],
      ['back', 'loop'],
    ])
    expect(stored('a/b').routes.size).toBe(0)
    expect(stored('a/${record.key}').problems).toEqual([])
  })
})

describe('MQTT topic filters', () => {
  const level = fc.constantFrom('a', 'b', 'ab', '', '$s')
  const topic = fc.array(level, { minLength: 1, maxLength: 4 })
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, open]) => (open ? [...levels, '#'] : levels))

  /** The same rule as a regular expression (4.7). */
  function expected(filter: string[], topic: string[]): boolean {
    const pattern = filter.map(level => (level === '+' ? '[^/]*' : level.replace('$', '\\$'))).join('/')
    const isHidden = topic[0]?.startsWith('$') === true && filter[0] === '+'
    return !isHidden && new RegExp(`^${pattern.replace(/\/#$/, '(/.*)?')}$`).test(topic.join('/'))
  }

  test('match as the standard says', () => {
    fc.assert(
      fc.property(filter, topic, (filter, topic) => {
        expect(filterMatches(filter, topic)).toBe(expected(filter, topic))
      }),
      { numRuns: 2000 },
    )
    expect(filterMatches(['#'], ['a', 'b'])).toBe(true)
    expect(filterMatches(['#'], ['$SYS'])).toBe(false)
  })

  test('may match whatever a topic that they match begins with', () => {
    fc.assert(
      fc.property(filter, topic, fc.nat(8), (filter, topic, length) => {
        const beginning = topic.join('/').slice(0, length).split('/')
        expect(!filterMatches(filter, topic) || filterMayMatch(filter, beginning)).toBe(true)
      }),
      { numRuns: 2000 },
    )
    expect(filterMayMatch(['a', 'b'], ['a', 'c', ''])).toBe(false)
    expect(filterMayMatch(['a'], ['a', ''])).toBe(false)
  })
})

describe('beside what applies already', () => {
  const there = between(kafka('a'), toKafka('b'), { name: 'there' })
  const apply = (text: string) => {
    const known = readDocuments([{ file: 'known', text: together(there) }])
    expect(known.problems).toEqual([])
    return readDocuments([{ file: 'f', text }], known).problems.map(({ message }) => message)
  }

  test('a route that closes a circle is told where it stands', () => {
    expect(apply(between(kafka('b'), toKafka('a'), { name: 'new' }))).toEqual([certain('new -> there -> new')])
    expect(apply(between(kafka('b'), toKafka('a${record.key}'), { name: 'new' }))).toContainEqual(
      possible('new -> there -> new').replace('warning: ', ''),
    )
  })

  test('a route that takes the place of one is not held against itself', () => {
    expect(apply(between(kafka('b'), toKafka('a'), { name: 'there' }))).toEqual([])
  })
})
