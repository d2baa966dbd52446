import { viewOf } from '@millrace/record'
import { expect, test } from 'vitest'
import { RecordInput } from '../src/input.ts'
import { record } from './records.ts'

const text = (name: string, value: string | null): [string, Buffer | null] => [
  name,
  value === null ? null : Buffer.from(value),
]

test('A record is text to an expression; what is absent is null, and the first header of a name counts', () => {
  const view = viewOf(record('välue', [text('a', '1'), text('a', '2'), text('empty', ''), text('none', null)]))
  const input = new RecordInput({ view, offset: 7n })
  expect(input).toMatchObject({ key: 'k', value: 'välue', time: 1_700_000_000_000, topic: null, device: null })
  expect(['a', 'empty', 'none', 'absent'].map(name => input.header(name))).toEqual(['1', '', null, null])
})

test('It moves on with its view', () => {
  const view = viewOf(record('1', [text('mqtt.topic', 'a/b')]))
  const input = new RecordInput({ view, offset: 7n })
  expect([input.value, input.topic]).toEqual(['1', 'a/b'])
  viewOf({ ...record('2'), key: null, value: null }, view)
  input.moved('{"topic":"orders","partition":3}')
  expect(input).toMatchObject({ key: null, value: null, topic: 'orders', partition: 3, offset: '7' })
})

test.each(['', '{', '7', 'null', '[]', '{"topic":1,"partition":"x"}'])('A place that reads %j is none', source => {
  const input = new RecordInput({ view: viewOf(record('1')), offset: 7n })
  input.moved(source)
  expect(input).toMatchObject({ topic: null, partition: null, offset: null })
})
