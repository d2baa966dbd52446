import { expect, test } from 'vitest'
import { isTopicName } from '../src/index.ts'

test.each(['a', '/', 'a//b', '$SYS/x', 'ü/中', ' ', 'x'.repeat(65_535)])('%j is a topic to publish to', topic => {
  expect(isTopicName(topic)).toBe(true)
})

test.each([
  '',
  '#',
  'a/+',
  'a\0',
  'x/\u0001',
  'x/\u007f',
  'x/\u0085',
  'x/\ufffe',
  '\ud800',
  'x'.repeat(65_536),
  'ü'.repeat(32_768),
])('%j is none', topic => {
  expect(isTopicName(topic)).toBe(false)
})
