import { expect, test } from 'vitest'
import { renderTapped, type Tapped, tappedJson } from '../src/tap-text.ts'

const place = { lane: 't/3', message: 12, record: 0 }
const stored = {
  timestamp: 1_700_000_000_000,
  offset: '41',
  key: null,
  headers: [['mqtt.topic', Buffer.from('a/b')] as const, ['data', Buffer.of(0, 255)] as const],
  value: Buffer.from('{"celsius": 21.5}'),
}

test('a record stands at both hops, one below the other', () => {
  const sink = {
    outcome: 'delivered' as const,
    to: { topic: 'telemetry', partition: 2 },
    key: Buffer.from('b'),
    headers: [['n', null] as const],
  }
  expect(renderTapped({ ...place, stored, sink }, 100)).toBe(
    `lane t/3, message 12, record 0
  stored     2023-11-14T22:13:20.000Z  offset 41  key (null)
             mqtt.topic: a/b
             data: 0x00ff
             value {"celsius": 21.5}
  delivered  topic telemetry  partition 2  key b
             n: (null)`,
  )
  expect(tappedJson({ ...place, stored, sink })).toEqual({
    ...place,
    stored: {
      timestamp: 1_700_000_000_000,
      offset: '41',
      key: null,
      headers: [
        ['mqtt.topic', { text: 'a/b' }],
        ['data', { hex: '00ff' }],
      ],
      value: { text: '{"celsius": 21.5}' },
    },
    sink: { outcome: 'delivered', to: sink.to, key: { text: 'b' }, headers: [['n', null]] },
  })
})

test.each([8.64e15 + 1, 1_700_000_000_000_000_001n])(
  'a time of %s ms, which is no date, is shown as it is',
  timestamp => {
    const record = { ...stored, timestamp }
    expect(renderTapped({ ...place, stored: record }, 100)).toContain(`stored     ${timestamp} ms  offset 41`)
    expect(JSON.stringify(tappedJson({ ...place, stored: record }))).toContain(String(timestamp))
  },
)

test('what did not go out says why', () => {
  const lines = (sink: Tapped['sink']) =>
    renderTapped({ ...place, ...(sink && { sink }) }, 100)
      .split('\n')
      .slice(1)
  expect(lines({ outcome: 'filtered' })).toEqual(['  filtered   by the route’s filter'])
  expect(lines({ outcome: 'dead', problem: 'no_topic: none' })).toEqual(['  dead       no_topic: none'])
  expect(lines({ outcome: 'dead', to: { topic: 't' }, key: null, headers: [], problem: 'too_large: x' })).toEqual([
    '  dead       topic t',
    '             too_large: x',
  ])
  const problem = 'part 1/3 of a record'
  expect(renderTapped({ ...place, stored: { problem } }, 100)).toMatch(/\n {2}stored {5}part 1\/3 of a record$/)
})

test('what is long is cut, unless it is asked for whole, and what a terminal would obey is escaped', () => {
  const value = Buffer.from('x'.repeat(2_000))
  const show = (bytes: Buffer, width: number) =>
    renderTapped({ ...place, stored: { ...stored, headers: [], value: bytes } }, width).split('value ')[1]
  expect(show(value, 10)).toBe('xxxxxxxxxx… (2,000 bytes)')
  expect(show(value, Number.POSITIVE_INFINITY)).toHaveLength(2_000)
  expect(show(Buffer.alloc(2_000, 0xff), 10)).toBe('0xffffffff… (2,000 bytes)')
  expect(show(Buffer.from('a\nb\u001b[2J\u202e'), 100)).toBe('a\\nb\\u{1b}[2J\\u{202e}')
  expect(show(Buffer.from('🦀🦀'), 3)).toBe('🦀�… (8 bytes)')
  expect(show(Buffer.alloc(0), 10)).toBe('(empty)')
})
