import { readDocuments } from '@millrace/routes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { between, lake, ofRoute, plant, problemsOf, route, together } from './documents.ts'

test.each([
  ['\0', 'U+0000'],
  ['\u202e', 'U+202E'],
  ['\ufeff', 'U+FEFF'],
  ['\r', 'U+000D'],
  ['\u200b', 'U+200B'],
])('the character %j is refused in a name and in a text', (character, message) => {
  const escaped = JSON.stringify(`a${character}b`)
  expect(ofRoute({ topics: `[${escaped}]` }).join()).toContain(message)
  expect(ofRoute({ sink: `, createTopic: { config: { ${escaped}: x } }` }).join()).toContain(message)
  expect(problemsOf(plant.replace('name: plant', `name: ${escaped}`)).join()).toContain(message)
})

test('a line feed at the end of a topic, as YAML leaves it where a text is written below, is refused', () => {
  expect(ofRoute({ topics: '["a/b\\n"]' }).join()).toContain('has no NUL, tab or line feed')
  const publishing = between('connection: lake, topics: [t]', 'connection: plant, topic: "a/b\\n"')
  expect(problemsOf(together(publishing)).join()).toContain('nor control characters')
})

test('half a surrogate pair is refused', () => {
  expect(ofRoute({ topics: '["a\\ud800"]' }).join()).toContain('surrogate')
})

test.each([
  [plant.replace('millrace.dev/v1', '{ a: b }'), 'apiVersion: expected one of'],
  [plant.replace('kind: Connection', 'kind: { a: b }'), 'kind: expected one of'],
  [plant.replace('name: plant', 'name: { a: b }'), 'metadata.name: expected a name'],
  [together(route()).replace('connection: plant', 'connection: { a: b }'), 'source.connection: expected a name'],
])('a map where text is expected is told, and ends nothing: %#', (text, message) => {
  expect(problemsOf(text).join('\n')).toContain(message)
})

test('a pattern that is none is told once, also beside offsets to begin at', () => {
  const source = 'connection: lake, topics: [/(/], start: { offsets: { t: { 0: 1 } } }'
  const text = [between(source, 'connection: plant, topic: x'), plant, lake].join('---\n')
  expect(problemsOf(text)).toEqual([expect.stringContaining('the pattern is no regular expression')])
})

describe('hostile text', () => {
  const bomb = Array.from(
    { length: 12 },
    (_, level) => `a${level}: &a${level} [${`*a${level - 1},`.repeat(level ? 9 : 0)}1]`,
  ).join('\n')
  test.each([
    ['aliases', bomb, 'aliases are not followed'],
    ['depth in flow', '['.repeat(500_000), 'more than 50 levels'],
    ['depth in block', '- '.repeat(250_000), 'more than 50 levels'],
    [
      'depth by indentation',
      Array.from({ length: 900 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      'more than 50 levels',
    ],
    ['more than 1 MiB', `a: ${'b\n  '.repeat(300_000)}`, 'larger than 1 MiB'],
    ['many keys', Array.from({ length: 90_000 }, (_, key) => `k${key}: 1`).join('\n'), 'too long'],
    ['many documents', '---\na\n'.repeat(100_000), 'too long'],
    ['bad escapes', `"${'\\x'.repeat(400_000)}"`, 'too long'],
    ['a tag', 'a: !!js/function x', 'Unresolved tag'],
    ['a merge key', '<<: { kind: Route }', 'unknown field'],
  ])('%s: an error, quickly', (_what, text, message) => {
    const begun = performance.now()
    const problems = problemsOf(text)
    // What takes 100 ms takes ten times as long on a loaded machine; what is not bounded takes for ever.
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(problems.join('\n')).toContain(message)
  })

  const other = between(
    'connection: lake, topics: [t, /x.*/], start: { offsets: { t: { 0: 1 } } }',
    "connection: plant, topic: 'x/${record.key}', qos: keep",
  )

  test('whatever the text, reading never throws, and every problem has a place in it', () => {
    const word = fc.constantFrom(
      'kind: ',
      'Route',
      'spec:',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ': ',
      ', ',
      '"',
      "'",
      '|',
      '>',
      '&a',
      '*a',
      '!',
      '#',
      '---\n',
      '...',
      '%',
      '?',
      'mqtt',
      '${',
      '\t',
      '~',
      '\0',
      '\ud800',
      '1e400',
    )
    const spoiled = fc.tuple(fc.nat(600), fc.nat(60), fc.string()).map(([at, length, put]) => {
      const whole = together([route(), other].join('---\n'))
      return whole.slice(0, at) + put + whole.slice(at + length)
    })
    const text = fc.oneof(
      fc.array(word, { maxLength: 60 }).map(words => words.join('')),
      fc.string({ unit: 'binary' }),
      spoiled,
    )
    fc.assert(
      fc.property(text, text => {
        const lines = text.split(/\r\n|\n/).length
        for (const { line, column } of readDocuments([{ file: 'f', text }]).problems) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(line).toBeLessThanOrEqual(lines)
          expect(column).toBeGreaterThanOrEqual(1)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
