import { recordOf, viewOf } from '@millrace/record'
import { expect, test } from 'vitest'
import { IotOperationsHeaders } from '../src/index.ts'

const now = 1_700_000_000_000
const mapping = new IotOperationsHeaders()

function mapped(headers: [string, Buffer | null][]): [string, string | undefined][] {
  const view = viewOf({ timestamp: now, key: null, value: null, headers })
  mapping.write(view, now)
  return recordOf(view).headers.map(([name, value]) => [name, value?.toString('latin1')])
}

const header = (name: string, value: string): [string, Buffer] => [name, Buffer.from(value, 'latin1')]

test('every row of the table, what it leaves out under our names, and user properties as their publisher named them', () => {
  expect(
    mapped([
      header('mqtt.topic', 't'),
      header('mqtt.qos', '1'),
      header('mqtt.retain', 'true'),
      header('mqtt.payload-format', '1'),
      header('mqtt.content-type', 'text/plain'),
      header('mqtt.response-topic', 'answers'),
      header('mqtt.correlation-data', '\x00\xff'),
      header('mqtt.expires-at', String(now + 59_001)),
      header('b', '1'),
      header('a', ''),
      header('b', '2'),
      header('user.mqtt.topic', 'mine'),
      header('user.user.x', 'twice'),
      ['null', null],
    ]),
  ).toEqual([
    ['mqtt.topic', 't'],
    ['mqtt.qos', '1'],
    ['mqtt.retain', 'true'],
    ['Payload Format Indicator', '1'],
    ['Content Type', 'text/plain'],
    ['Response Topic', 'answers'],
    ['Correlation Data', '\x00\xff'],
    ['Message Expiry Interval', '60'],
    ['b', '1'],
    ['a', ''],
    ['b', '2'],
    ['user.mqtt.topic', 'mine'],
    ['user.x', 'twice'],
    ['null', undefined],
  ])
})

test.each([String(now), String(now - 1), 'no number'])('an expiry at %s leaves nothing to say', at => {
  expect(mapped([header('mqtt.expires-at', at)])).toEqual([])
})
