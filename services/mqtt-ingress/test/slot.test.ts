import type { MqttSource } from '@millrace/routes'
import { describe, expect, test } from 'vitest'
import { endedPosition, filtersOf, openingPosition } from '../src/slot.ts'

const source = (fields: Partial<MqttSource>): MqttSource => ({
  protocol: 'mqtt',
  connection: 'plant',
  topics: ['a/+', 'b'],
  qos: 1,
  subscribers: 1,
  sessionExpiry: 60_000,
  retained: 'include',
  ...fields,
})

test('one subscriber has the plain filters, several share them, and one that has a share name', () => {
  expect(filtersOf(source({}), 'plant-telemetry')).toEqual(['a/+', 'b'])
  expect(filtersOf(source({ subscribers: 2 }), 'plant-telemetry')).toEqual([
    '$share/plant-telemetry/a/+',
    '$share/plant-telemetry/b',
  ])
  expect(filtersOf(source({ shareName: 'ours' }), 'plant-telemetry')).toEqual(['$share/ours/a/+', '$share/ours/b'])
  expect(filtersOf(source({ subscribers: 2, shareName: 'ours' }), 'plant-telemetry')).toEqual([
    '$share/ours/a/+',
    '$share/ours/b',
  ])
})

describe('the opening position', () => {
  test('of a new lane: nothing is subscribed yet, so no session can be missing', () => {
    expect(openingPosition('c', ['a'], undefined)).toEqual({ clientId: 'c', filters: ['a'], subscribed: false })
  })

  test('of an old lane names the filters of before as well, until they are unsubscribed', () => {
    const previous = JSON.stringify({ clientId: 'c', filters: ['old', 'a'], subscribed: true })
    expect(openingPosition('c', ['a', 'b'], previous)).toEqual({
      clientId: 'c',
      filters: ['old', 'a', 'b'],
      subscribed: true,
    })
  })

  test('of a lane whose session was ended: none can be missing', () => {
    expect(openingPosition('c', ['a'], JSON.stringify(endedPosition('c'))).subscribed).toBe(false)
  })

  test.each([
    ['', 'JSON'],
    ['{}', 'clientId'],
    ['12', 'object'],
    ['{"clientId": 1}', 'clientId'],
  ])('a position of somebody else is an error: %j', (previous, why) => {
    expect(() => openingPosition('c', ['a'], previous)).toThrow(why)
  })
})
