/** Two installations with the same mosquitto and the same Kafka, and routes of the same name: neither hurts the other. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownerOf, sigkill } from './faults.ts'
import { publish } from './publishers.ts'
import { inTopic, print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let one: Whole
let other: Whole
beforeAll(async () => {
  one = await startWhole({ installation: 'one' })
  other = await startWhole({ installation: 'other', beside: one })
})
afterAll(async () => {
  await other?.[Symbol.asyncDispose]()
  await one?.[Symbol.asyncDispose]()
})

test('each of two installations on the same brokers delivers everything, and keeps its sessions and producers', async () => {
  const tallies = [
    new Tally(one, 'twin', inTopic(one.kafka, 'twin-one')),
    new Tally(other, 'twin', inTopic(other.kafka, 'twin-other')),
  ]
  await one.apply(ledgerRoute('twin', { topic: 'twin-one' }))
  await other.apply(ledgerRoute('twin', { topic: 'twin-other' }))
  for (const whole of [one, other]) await whole.untilRunning('twin')
  const epochs = async () => (await other.actors('twin')).map(({ id, epoch }) => `${id} ${epoch}`).toSorted()
  const before = await epochs()
  const over = new AbortController()
  const ledger = {
    acknowledged: (publisher: string, number: number) => {
      for (const tally of tallies) tally.ledger.acknowledged(publisher, number)
    },
  }
  const killInOne = async () => {
    sigkill(await ownerOf(one, 'source', 'twin'))
    await tallies[0]?.arrive(500)
    sigkill(await ownerOf(one, 'sink', 'twin'))
    await tallies[0]?.arrive(500)
  }
  const load = { publishers: 10, each: 500, until: over.signal, qos: 1, rate: 1_000, ledger } as const
  await Promise.all([
    killInOne().finally(() => over.abort()),
    publish({ url: one.mosquitto.url, root: 'twin', ...load }),
  ])
  for (const tally of tallies) await tally.settle()
  print('ledgers of two installations on the same brokers, while the services of the first are killed', tallies)
  for (const { ledger } of tallies) expect(ledger.report()).toMatchObject({ lost: [], outOfOrder: [] })
  expect(tallies[1]?.ledger.report().duplicates, 'the other one is not disturbed').toBe(0)
  expect(await epochs()).toEqual(before)
  const log = await readFile(path.join(one.mosquitto.folder, 'mosquitto.log'), 'utf8')
  expect(log.match(/Client other-\S+ already connected/g), 'takeovers').toBeNull()
})
