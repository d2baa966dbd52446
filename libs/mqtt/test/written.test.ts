import { expect, test } from 'vitest'
import { PropertyWriter } from '../src/property-writer.ts'
import { property } from '../src/publish.ts'
import { writtenHeaders } from '../src/index.ts'

test('what is written for a PUBLISH is shown by the names that it has as headers, in order and with repetitions', () => {
  const writer = new PropertyWriter()
  const value = (text: string) => [Buffer.from(text), 0, Buffer.byteLength(text)] as const
  writer.payloadFormat(1)
  writer.expiry()
  writer.text(property.contentType, ...value('text/plain'))
  writer.data(property.correlationData, Buffer.of(0, 255), 0, 2)
  for (const text of ['é', '', 'é']) {
    writer.name(...value('a'))
    writer.value(...value(text))
  }
  expect(writtenHeaders(writer)).toEqual([
    ['mqtt.payload-format', Buffer.from('1')],
    ['mqtt.content-type', Buffer.from('text/plain')],
    ['mqtt.correlation-data', Buffer.of(0, 255)],
    ['a', Buffer.from('é')],
    ['a', Buffer.alloc(0)],
    ['a', Buffer.from('é')],
  ])
  writer.clear()
  expect(writtenHeaders(writer)).toEqual([])
})
