import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyView, encodeHeader, HeaderCursor, headerName, HeaderWriter, recordOf, viewOf } from '../src/index.ts'
import { record } from './batches.ts'

const topic = headerName('mqtt.topic')

test('what the writer appends is what the view has, record after record', () => {
  const writer = new HeaderWriter()
  const view = emptyView()
  const packet = Buffer.from('name,value')

  writer.clear()
  writer.constant(topic.encoded)
  writer.value(packet, 5, 10)
  writer.header(encodeHeader(headerName('mqtt.qos'), '1'))
  writer.header(encodeHeader(headerName('none'), null))
  writer.name(packet, 0, 4, Buffer.from('user.'))
  writer.text('tëxt')
  writer.name(packet, 0, 4)
  writer.value(packet, -1, -1)
  writer.into(view)
  expect(recordOf(view).headers).toEqual([
    ['mqtt.topic', Buffer.from('value')],
    ['mqtt.qos', Buffer.from('1')],
    ['none', null],
    ['user.name', Buffer.from('tëxt')],
    ['name', null],
  ])

  writer.clear()
  writer.into(view)
  expect(recordOf(view).headers).toEqual([])
})

test('headers of any size and number fit, also after those of another record', () => {
  fc.assert(
    fc.property(record, record, (first, second) => {
      const writer = new HeaderWriter()
      const view = emptyView()
      writer.all(viewOf(first))
      writer.name(Buffer.alloc(3000, 'n'), 0, 3000)
      writer.value(Buffer.alloc(70_000, 'v'), 0, 70_000)
      writer.all(viewOf(second))
      writer.into(view)
      const long = ['n'.repeat(3000), Buffer.alloc(70_000, 'v')]
      expect(recordOf(view).headers).toEqual([...first.headers, long, ...second.headers])
    }),
    { numRuns: 20 },
  )
})

test('find gives the first header of exactly that name', () => {
  const cursor = new HeaderCursor()
  const view = viewOf({
    timestamp: 0,
    key: null,
    value: null,
    headers: [
      ['mqtt.topi', Buffer.from('shorter')],
      ['mqtt.topiC', Buffer.from('other')],
      ['mqtt.topic', Buffer.from('first')],
      ['mqtt.topic', Buffer.from('second')],
      ['nothing', null],
    ],
  })
  expect(cursor.find(view, topic)).toBe(true)
  expect(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)).toBe('first')
  expect(cursor.find(view, headerName('nothing'))).toBe(true)
  expect([cursor.valueStart, cursor.valueEnd]).toEqual([-1, -1])
  expect(cursor.find(view, headerName('absent'))).toBe(false)
  expect(cursor.find(emptyView(), topic)).toBe(false)
})

test('a record is the same after a view of it', () => {
  fc.assert(
    fc.property(record, one => {
      expect(recordOf(viewOf(one))).toEqual(one)
    }),
  )
})
