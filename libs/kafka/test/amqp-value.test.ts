import { noLeaks } from '@millrace/testkit'
import { BatchBuilder, BatchReader, type Header, recordOf, viewOf } from '@millrace/record'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAmqpHeaders } from '../src/amqp-headers.ts'
import { amqpValue } from '../src/amqp-value.ts'
import { Cluster, PartitionLog } from '../src/index.ts'
import { logBatches } from '../src/log-batches.ts'
import { FakeBroker } from './fake-broker.ts'
import { openProducer, settingsFor } from './rig.ts'

noLeaks()

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

test.each([
  ['a1 03 62 61 72', 'bar'],
  ['a1 00', ''],
  ['a3 03 62 61 72', 'bar'],
  ['b1 00000003 62 61 72', 'bar'],
  ['a1 05 c3 bc 6e 69 78', 'ünix'],
  ['54 05', '5'],
  ['54 ff', '-1'],
  ['52 80', '128'],
  ['56 01', 'true'],
  ['56 00', 'false'],
  ['60 01 00', '256'],
  ['61 ff fe', '-2'],
  ['71 00 00 00 2a', '42'],
  ['71 ff ff ff ff', '-1'],
  ['70 ff ff ff ff', '4294967295'],
  ['72 3f c0 00 00', '1.5'],
  ['73 00 01 f6 00', '😀'],
  ['80 ff ff ff ff ff ff ff ff', '18446744073709551615'],
  ['81 ff ff ff ff ff ff ff fe', '-2'],
  ['82 3f f8 00 00 00 00 00 00', '1.5'],
  ['83 00 00 01 8b cf e5 68 00', '1700000000000'],
  ['98 00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
])('%s is %j', (hex, text) => {
  expect(amqpValue(bytes(hex))?.toString()).toBe(text)
})

test('binary stays binary', () => {
  expect(amqpValue(bytes('a0 02 00 ff'))).toEqual(bytes('00 ff'))
  expect(amqpValue(bytes('b0 00000002 00 ff'))).toEqual(bytes('00 ff'))
})

test.each([
  '',
  'a1',
  'a1 04 62 61 72',
  'a1 02 62 61 72',
  'b1 00 00',
  'b1 ff ff ff ff 00',
  '56 02',
  '54',
  '71 00',
  '00 01',
])('%j is no value of AMQP', hex => {
  expect(amqpValue(bytes(hex))).toBeUndefined()
})

test.each(['US', 'T*', 'A', 'query', 'relay', 'tab\tline\r\n', 'ünïcode'])('%j, a text, is never changed', text => {
  expect(amqpValue(Buffer.from(text))).toBeUndefined()
})

test('any string of AMQP is read, and any bytes are taken or left without an error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const utf8 = Buffer.from(text)
      const encoded = Buffer.concat([utf8.length < 256 ? Buffer.of(0xa1, utf8.length) : longLength(utf8.length), utf8])
      expect(amqpValue(encoded)).toEqual(utf8)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), some => {
      const value = amqpValue(Buffer.from(some))
      expect(value === undefined || value.length <= 40).toBe(true)
    }),
  )
})

function longLength(length: number): Buffer {
  const head = Buffer.of(0xb1, 0, 0, 0, 0)
  head.writeUInt32BE(length, 1)
  return head
}

test('correlation data that looked like a value of AMQP was altered on its way through a hub', () => {
  const value = bytes('a1 03 62 61 72')
  const names = [
    'mqtt.correlation-data',
    'user.mqtt.x',
    'kafka.key',
    'millrace.path',
    'Correlation Data',
    'traceparent',
  ]
  const builder = new BatchBuilder()
  for (const name of names) builder.add(viewOf({ timestamp: 1, key: null, value: null, headers: [[name, value]] }))
  const batch = builder.finish()
  expect(readAmqpHeaders(batch)).toBe(batch)
})

test.each(['none', 'gzip'] as const)(
  'a log of a hub is read with the values that were meant (%s)',
  async compression => {
    await using broker = await FakeBroker.start({ t: 1 })
    await using rig = await openProducer(broker.port, { compression })
    const sent: Header[][] = [
      [
        ['plain', Buffer.from('US')],
        ['text', bytes('a1 03 62 61 72')],
        ['null', null],
      ],
      [],
      [['number', bytes('71 00 00 00 2a')]],
    ]
    for (const [index, headers] of sent.entries()) {
      const view = viewOf({ timestamp: 1_700_000_000_000 + index, key: null, value: Buffer.from(`${index}`), headers })
      rig.producer.add('t', view, { index, partition: 0 })
    }
    expect(await rig.producer.deliver()).toEqual({ is: 'done' })
    const read = async (amqpHeaders: boolean) => {
      using cluster = await Cluster.open(settingsFor(broker.port, { amqpHeaders }))
      const log = new PartitionLog(cluster, { topic: 't', partition: 0 }, 'readCommitted')
      await log.locate()
      const reader = new BatchReader({ maxBytes: 1_000 })
      const records = []
      for (const batch of logBatches(await log.fetch(0n), 'readCommitted')) {
        for (reader.open(batch.bytes); reader.next(); ) records.push(recordOf(reader.view))
      }
      return records
    }
    const [asItIs, asMeant] = [await read(false), await read(true)]
    expect(asItIs.map(({ headers }) => headers)).toEqual(sent)
    expect(asMeant).toEqual([
      {
        ...asItIs[0],
        headers: [
          ['plain', Buffer.from('US')],
          ['text', Buffer.from('bar')],
          ['null', null],
        ],
      },
      asItIs[1],
      { ...asItIs[2], headers: [['number', Buffer.from('42')]] },
    ])
  },
)
