import { viewOf } from '@millrace/record'
import { expect, test } from 'vitest'
import { type Mapped, Mapper } from '../src/map.ts'

const headers: [string, Buffer][] = [
  ['mqtt.qos', Buffer.from('2')],
  ['mqtt.retain', Buffer.from('true')],
  ['mqtt.expires-at', Buffer.from('1000')],
]

/** What a Kafka record with headers that somebody else wrote becomes. */
function read(mapped: { sink?: Partial<Mapped['sink']>; headers: Mapped['headers'] }) {
  const mapper = new Mapper({ headers: mapped.headers, sink: { topic: 't', qos: 1, ...mapped.sink } })
  const view = viewOf({ timestamp: 1, key: null, value: null, headers })
  const place = { topic: 'orders', partition: 3, offset: '42' }
  const input = { ...place, key: null, value: null, header: () => null, time: 1, device: null }
  expect(mapper.read({ view, input })).toBeUndefined()
  const { qos, retain, expiresAt } = mapper
  return { qos, retain, expiresAt }
}

test('headers: none: a foreign header retained a message, and let it expire', () => {
  expect(read({ headers: 'none' })).toEqual({ qos: 1, retain: false, expiresAt: 0 })
})

test('headers: none: QoS and RETAIN of the record are kept where the route says so', () => {
  expect(read({ headers: 'none', sink: { qos: 'keep', retain: 'keep' } })).toEqual({
    qos: 2,
    retain: true,
    expiresAt: 0,
  })
})

test('headers: lossless: RETAIN and expiry are those of the record', () => {
  expect(read({ headers: 'lossless' })).toEqual({ qos: 1, retain: true, expiresAt: 1000 })
})
