import { type Header, recordOf, viewOf } from '@millrace/record'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pathThrough, RoutePath } from '../src/path.ts'
import { record } from './records.ts'

const header = (value: string | null): Header => ['millrace.path', value === null ? null : Buffer.from(value)]

/** The headers with which a record leaves the route `here.r`, or the problem. */
function passing(headers: Header[], path = new RoutePath('here.r')) {
  const view = viewOf(record('1', headers))
  return path.extend(view) ?? recordOf(view).headers
}

test('A path grows by the name of each route that a record passes; it stands last, once', () => {
  const other: Header = ['a', Buffer.from('1')]
  const none: Header = ['b', null]
  expect(passing([other, none])).toEqual([other, none, header('here.r')])
  expect(passing([other, header('there.r'), none])).toEqual([other, none, header('there.r,here.r')])
  expect(passing([header('there.r'), header('here.s'), other])).toEqual([other, header('there.r,here.s,here.r')])
  expect(passing([header(null)])).toEqual([header(',here.r')])
})

test('What has passed before can not pass again, and is left as it is', () => {
  for (const path of ['here.r', 'there.s,here.r', 'here.r,there.s']) {
    const view = viewOf(record('1', [header(path)]))
    expect(new RoutePath('here.r').extend(view)).toMatchObject({ code: 'loop' })
    expect(recordOf(view)).toEqual(record('1', [header(path)]))
  }
  expect(passing([header('here.rr,ere.r,here,r')])).toEqual([header('here.rr,ere.r,here,r,here.r')])
})

test('Whatever the headers are, the others stay as they were, in their order', () => {
  const name = fc.oneof(fc.string({ minLength: 1 }), fc.constant('millrace.path'))
  const value = fc.option(fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)))
  const path = new RoutePath('here.r')
  const others = (headers: Header[]) => headers.filter(([name]) => name !== 'millrace.path')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), headers => {
      const after = passing(headers, path)
      if (!Array.isArray(after)) return
      expect(others(after)).toEqual(others(headers))
      expect(after.filter(([name]) => name === 'millrace.path')).toEqual(after.slice(-1))
      expect(passing(after, path)).toMatchObject({ code: 'loop' })
    }),
  )
})

describe('the name is written', () => {
  const route = (source: string, sink: string, headers = 'lossless') =>
    pathThrough('i', { name: 'r', source: { protocol: source }, sink: { protocol: sink }, headers })

  test('where both ends speak the same', () => {
    expect([route('mqtt', 'mqtt'), route('kafka', 'kafka', 'iotOperations')]).not.toContain(undefined)
  })

  test('not where what goes there and back is to come back as it was, nor where no headers are written', () => {
    expect([route('mqtt', 'kafka'), route('kafka', 'mqtt'), route('mqtt', 'mqtt', 'none')]).toEqual(
      Array(3).fill(undefined),
    )
  })
})
