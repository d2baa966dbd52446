import { compileTemplate, ExpressionError, type ExpressionInput } from '@millrace/routes'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Compiled, compile } from '../src/expression.ts'
import { directPath, templateFault, viaCel } from '../src/template.ts'

const record = (
  part: Partial<ExpressionInput> = {},
  headers: ReadonlyMap<string, string> = new Map(),
): ExpressionInput => {
  const none = { key: null, value: null, time: -1, topic: null, partition: null, offset: null, device: null }
  return { ...none, header: name => headers.get(name) ?? null, ...part }
}

test('text and expressions make one text', () => {
  const template = compileTemplate('plant-${source.levels[1]}-${record.json.n + 0.5}-${1 + 1}-${true}')
  expect(template(record({ topic: 'a/b/c', value: '{"n": 2}' }))).toBe('plant-b-2.5-2-true')
  expect(compileTemplate('fixed')(record())).toBe('fixed')
  expect(compileTemplate('${record.time}')(record({ time: 0 }))).toBe('1970-01-01T00:00:00.000Z')
})

test('braces may stand inside an expression', () => {
  expect(compileTemplate('${{"a": "}"}["a"]}|${"\\"}"}')(record())).toBe('}|"}')
})

test('a whole template that reads null is null; amid text it is an error', () => {
  expect(compileTemplate('${record.key}')(record())).toBeNull()
  expect(compileTemplate('${record.headers["x"]}')(record())).toBeNull()
  expect(() => compileTemplate('k-${record.key}')(record())).toThrow(ExpressionError)
})

test.each([
  ['a${', 'never closed', 1],
  ['${source.topic', 'never closed', 0],
  ['x${"}', 'Unterminated string', 3],
  ['${}', 'no expression', 0],
  ['ab${ }', 'no expression', 2],
  ['ab${topic}', 'unknown variable "topic"', 4],
  ['${record.key}/${source.levls[0]}', 'unknown variable "levls"', 23],
  ['${[1]}', 'this yields list<int>', 2],
  ['${record}', 'this yields Record', 2],
])('refuses %j, and says where', (text, message, offset) => {
  expect(templateFault(text)?.message).toContain(message)
  expect(templateFault(text)?.offset).toBe(offset)
  expect(() => compileTemplate(text)).toThrow(message)
})

/** What a function gives: its value, or the class of what it throws. */
const ending = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error instanceof ExpressionError ? 'ExpressionError' : error
  }
}

const texts = fc.oneof(fc.constantFrom('', '/', '//', 'a/b', '/a/'), fc.string(), fc.constant(null))
const plainForms = fc.oneof(
  fc.constantFrom(
    'record.key',
    'record.value',
    'source.topic',
    ' record . key ',
    'record.headers["x"]',
    "record.headers['y']",
  ),
  fc.nat(4).map(index => `source.levels[${index}]`),
)

test('the direct path of the plain forms gives what CEL gives', () => {
  fc.assert(
    fc.property(plainForms, texts, texts, (form, topic, other) => {
      const input = record({ topic, key: other, value: other }, new Map(other === null ? [] : [['x', other]]))
      const compiled = compile(form)
      if (!isCompiled(compiled)) throw new Error(compiled.message)
      const direct = directPath(compiled.ast)
      if (direct === undefined) throw new Error(`${form} has no direct path`)
      expect(ending(() => direct(input))).toEqual(ending(() => viaCel(compiled)(input)))
    }),
    { numRuns: 2000 },
  )
})

const isCompiled = (value: ReturnType<typeof compile>): value is Compiled => 'evaluate' in value

test.each([
  'source.offset',
  'record.json',
  'source.levels[-1]',
  'record.headers[record.key]',
  'source.levels',
  'record.key + "x"',
])('%s has no direct path', form => {
  const compiled = compile(form)
  expect(isCompiled(compiled) && directPath(compiled.ast)).toBeUndefined()
})

test('any text is refused or works, and nothing but ExpressionError comes of it', () => {
  const pieces = fc.constantFrom(
    '${',
    '}',
    '"',
    '{',
    'record',
    '.',
    'key',
    'json',
    '[',
    ']',
    '1',
    '+',
    'a',
    ' ',
    '?',
    ':',
    '\\',
    "'",
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), parts => {
      const text = parts.join('')
      if (templateFault(text) !== undefined) return
      const run = compileTemplate(text)
      const result = ending(() => run(record({ value: '{"key": 1}', topic: 'a' })))
      expect(result === null || typeof result === 'string').toBe(true)
    }),
    { numRuns: 3000 },
  )
})
