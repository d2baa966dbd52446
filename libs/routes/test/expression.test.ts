import { compileExpression, compileTemplate, ExpressionError, type ExpressionInput } from '@millrace/routes'
import { describe, expect, test } from 'vitest'
import { filterFault } from '../src/expression.ts'

/** A record of these headers; the rest may be overwritten. */
function input(headers: Record<string, string> = {}, rest: Partial<ExpressionInput> = {}): ExpressionInput {
  const none = { key: null, value: null, time: -1, topic: null, partition: null, offset: null, device: null }
  return { ...none, header: name => new Map(Object.entries(headers)).get(name) ?? null, ...rest }
}

const passes = (text: string, record: ExpressionInput) => compileExpression(text)(record)

describe('variables', () => {
  test('a header is read by its name; an absent one reads as null', () => {
    const record = input({ 'mqtt.content-type': 'application/json' })
    expect(passes('record.headers["mqtt.content-type"] == "application/json"', record)).toBe(true)
    expect(passes('record.headers["x"] == null', record)).toBe(true)
    expect(passes('"x" in record.headers', record)).toBe(false)
    expect(passes('record.headers.constructor == null && record.headers["__proto__"] == null', record)).toBe(true)
  })

  test('every variable of a record is there', () => {
    const source = { topic: 'a/b/c', partition: 3, offset: '9223372036854775807', device: 'd1' }
    const record = input({}, { key: 'k', value: '{"t": 21.5}', time: 86_400_000, ...source })
    expect(passes('record.key == "k" && record.value.startsWith("{") && record.json.t > 20', record)).toBe(true)
    expect(passes('record.time == timestamp("1970-01-02T00:00:00Z")', record)).toBe(true)
    expect(passes('source.topic == "a/b/c" && source.levels == ["a", "b", "c"]', record)).toBe(true)
    expect(passes('source.partition == 3 && source.offset == 9223372036854775807', record)).toBe(true)
    expect(passes('source.device == "d1"', record)).toBe(true)
  })

  test('what a record does not have reads as null', () => {
    expect(passes('record.key == null && record.value == null && record.time == null', input())).toBe(true)
    expect(passes('source.topic == null && source.levels == []', input())).toBe(true)
    expect(passes('source.partition == null && source.offset == null && source.device == null', input())).toBe(true)
  })

  test.each([8.64e15 + 1, 1.7e18, -(2 ** 63)])('a time of %d ms, which is no date, is an ExpressionError', time => {
    const record = input({}, { time })
    expect(() => passes('record.time > timestamp("1970-01-02T00:00:00Z")', record)).toThrow(ExpressionError)
    expect(() => compileTemplate('${record.time}')(record)).toThrow(ExpressionError)
  })

  test('a whole number beyond 2^53 in JSON keeps its digits', () => {
    const record = input({}, { value: '{"id": 9007199254740993, "list": [12345678901234567890]}' })
    expect(passes('record.json.id == 9007199254740993', record)).toBe(true)
    expect(passes('record.json.id == 9007199254740992', record)).toBe(false)
  })

  test('the JSON of one record is not that of the next', () => {
    const filter = compileExpression('record.json.ok')
    expect(filter(input({}, { value: '{"ok": true}' }))).toBe(true)
    expect(filter(input({}, { value: '{"ok": false}' }))).toBe(false)
    expect(() => filter(input({}, { value: 'ok' }))).toThrow(ExpressionError)
    expect(() => filter(input())).toThrow(ExpressionError)
  })

  test('a value is looked at only where an expression asks for it', () => {
    const record: ExpressionInput = {
      ...input(),
      get value(): string {
        throw new Error('decoded in vain')
      },
    }
    expect(passes('record.headers["x"] == null', record)).toBe(true)
  })
})

test.each([
  ['the value is no JSON', 'record.json.a == 1', 'not json'],
  ['a field is missing', 'record.json.a.b == 1', '{"a": {}}'],
  ['the types do not fit', 'record.json.a + 1 == 2', '{"a": "x"}'],
  ['neither true nor false', 'record.json.a', '{"a": 5}'],
  ['an index beyond the levels', 'source.levels[9] == "x"', '{}'],
  ['__proto__ is no field', 'record.json.__proto__ == null', '{"a": 1}'],
])('fails with ExpressionError where %s', (_what, text, value) => {
  expect(() => passes(text, input({}, { value, topic: 'a/b' }))).toThrow(ExpressionError)
})

test.each([
  ['topic == "a"', 'unknown variable "topic"', 'did you mean source.topic?', 0],
  ['record.heders["x"] == "1"', 'unknown variable "heders"', 'did you mean record.headers?', 7],
  ['true && nothing.at.all', 'unknown variable "nothing"', expect.stringContaining('known: record.key'), 8],
  ['source.levels[0] + 1 == 2', 'no such overload', undefined, 0],
  ['foo(1)', 'no matching overload', undefined, 0],
  ['record.key ==', 'Unexpected token', undefined, 13],
  ['source.levels[0]', 'a filter says true or false', undefined, 0],
  ['1', 'a filter says true or false', undefined, 0],
  ['has(record.headers.x)', 'always true', 'write record.headers["name"] != null', 0],
])('refuses %j before any record is seen', (text, message, hint, offset) => {
  const fault = filterFault(text)
  expect(fault?.message).toContain(message)
  expect(fault?.hint).toEqual(hint)
  expect(fault?.offset).toBe(offset)
  expect(() => compileExpression(text)).toThrow(message)
})

test.each([
  ['record.value.matches("(")', 'no regular expression', 21],
  ['record.value.matches(record.key)', 'written out', 21],
  ['record.json.l.exists(x, x.matches("("))', 'no regular expression', 34],
  ['[record.value.matches("(a+)+$")] == [true]', 'for ever', 22],
  ['record.value.matches("(a|aa)*b")', 'for ever', 21],
  ['record.value.matches("((a*)b){2,}")', 'for ever', 21],
  ['record.value.matches("((a)*)*")', 'for ever', 21],
  ['record.value.matches("(?=a)b")', 'looks ahead', 21],
  ['record.value.matches("(a)\\\\1")', 'repeats a group by its number', 21],
])('the pattern of %s is refused', (text, message, offset) => {
  expect(filterFault(text)).toMatchObject({ message: expect.stringContaining(message), offset })
})

test.each(['^a+$', '(a|b)c', '(abc)+', '[(|+]+x', '(a|b)?', '\\\\(a+\\\\)+', 'x{2,3}y*'])(
  'the pattern %s is taken',
  pattern => {
    expect(filterFault(`record.value.matches("${pattern}")`)).toBeUndefined()
  },
)

test('a hostile text is refused, and quickly', () => {
  for (const text of [
    '('.repeat(50_000),
    '!'.repeat(50_000),
    `[${'1,'.repeat(20_000)}]`,
    `${'a.'.repeat(20_000)}b`,
    '"'.repeat(9_999),
  ]) {
    const begun = performance.now()
    expect(filterFault(text)).toBeDefined()
    expect(performance.now() - begun).toBeLessThan(1000)
  }
})
