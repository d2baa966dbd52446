/** What a route does with its records changes while they are on their way. */
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BesideCalm, startBesideCalm } from './beside-calm.ts'
import { countOf } from './observe.ts'
import { publish } from './publishers.ts'
import { type Arrival, type Follow, inTopic, print, Tally } from './tally.ts'
import { ledgerRoute, type More } from './whole.ts'

noLeaks()

let beside: BesideCalm
beforeAll(async () => {
  beside = await startBesideCalm()
})
afterAll(() => beside[Symbol.asyncDispose]())

/** Two topics as one, for a route that wrote to the second when it had done with the first. */
function inTurn(first: string, second: string): Follow {
  const { kafka } = beside.whole
  return tell => {
    const later: Arrival[] = []
    const lookFirst = inTopic(kafka, first)(tell)
    const lookSecond = inTopic(kafka, second)(arrival => later.push(arrival))
    return async () => {
      await lookSecond()
      await lookFirst()
      for (const arrival of later.splice(0)) tell(arrival)
    }
  }
}

test('another filter, other headers, another topic: the route goes on where it was, and no other notices', {
  timeout: 120_000,
}, async () => {
  const { whole, calm, publisher } = beside
  for (const topic of ['turn', 'turned']) await whole.kafka.createTopic(topic, 4)
  await whole.apply(ledgerRoute('turn'))
  await whole.untilRunning('turn')
  const tally = new Tally(whole, 'turn', inTurn('turn', 'turned'))
  const over = new AbortController()
  const change = async (more: More) => {
    await tally.arrive(500)
    await whole.apply(ledgerRoute('turn', more))
  }
  const changeAll = async () => {
    const filter = 'filter: source.levels[1] != "unwanted"'
    await change({ route: filter })
    await change({ route: `${filter}\n  headers: none` })
    await change({ route: `${filter}\n  headers: none`, topic: 'turned' })
    await tally.arrive(500)
  }
  const load = { publishers: 10, qos: 1, rate: 500, each: 1, until: over.signal, ledger: tally.ledger } as const
  const publishing = publish({ url: whole.mosquitto.url, root: 'turn', ...load })
  await Promise.all([changeAll().finally(() => over.abort()), publishing])
  await tally.settle()
  print('ledger of a route whose filter, headers and topic changed', [tally])
  expect(tally.ledger.report()).toMatchObject({ lost: [], outOfOrder: [] })

  const [first, last] = [(await whole.kafka.readAll('turn')).at(0), (await whole.kafka.readAll('turned')).at(-1)]
  expect(first?.headers).toHaveProperty(['mqtt.topic'])
  expect(last?.headers).toEqual({})
  await publisher.publishAsync('turn/unwanted/n', '0', { qos: 1 })
  await eventually(async () => (await countOf(whole, 'sink.turn.0', 'filtered')) === 1, { what: 'it is filtered' })
  await calm.undisturbed()
})
