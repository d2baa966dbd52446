import { type BusFacts, guaranteeOf, readDocuments } from '@millrace/routes'
import { expect, test } from 'vitest'
import { route, together } from './documents.ts'

const safe: BusFacts = { replicas: 1, syncAlways: true }

function of(bus: BusFacts, change: Parameters<typeof route>[0] = {}) {
  const [read] = readDocuments([{ file: 'f', text: together(route(change)) }]).routes
  if (read === undefined) throw new Error('no route')
  const { guarantee, lowered } = guaranteeOf(read, bus)
  return [guarantee, lowered.map(({ code }) => code)]
}

test.each<[string, BusFacts, Parameters<typeof route>[0], unknown]>([
  ['all as it is by default', safe, {}, ['at-least-once', []]],
  ['QoS 2', safe, { source: ', qos: 2' }, ['at-least-once', []]],
  ['QoS 0', safe, { source: ', qos: 0' }, ['best-effort', ['qos_0']]],
  ['acks 0', safe, { sink: ', acks: 0' }, ['best-effort', ['acks_0']]],
  ['acks 1', safe, { sink: ', acks: 1' }, ['best-effort', ['acks_1']]],
  ['one server that does not sync', { replicas: 1, syncAlways: false }, {}, ['best-effort', ['bus_not_synced']]],
  [
    'one server of which nothing is known',
    { replicas: 1, syncAlways: 'unknown' },
    {},
    ['best-effort', ['bus_unknown']],
  ],
  ['three servers', { replicas: 3, syncAlways: 'unknown' }, {}, ['at-least-once', []]],
  [
    'everything at once',
    { replicas: 1, syncAlways: false },
    { source: ', qos: 0', sink: ', acks: 0' },
    ['best-effort', ['qos_0', 'acks_0', 'bus_not_synced']],
  ],
])('%s', (_what, bus, change, expected) => expect(of(bus, change)).toEqual(expected))
