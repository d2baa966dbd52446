/** A healthy route that must not notice what is done to the others: a message every 50 ms, from MQTT to Kafka. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, Ledger } from '@millrace/testkit'
import { connectAsync } from 'mqtt'
import { expect } from 'vitest'
import { describeLate } from './late.ts'
import { actorOf } from './observe.ts'
import { Standstills } from './standstill.ts'
import type { Whole } from './whole.ts'

const route = `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: calm }
spec:
  source: { connection: plant, topics: [calm/n] }
  sink:
    connection: lake
    topic: calm
    createTopic: { partitions: 1, config: { message.timestamp.type: LogAppendTime } }
  buffer: { maxBytes: 16MiB }
  deadLetters: { maxBytes: 4MiB }
`

/**
 * Milliseconds that a message of an undisturbed route takes at most, on a machine that is busy with tests. Time in which
 * the whole machine stood still does not count.
 */
const mostDelay = 5_000

/** The route while it runs. */
export interface Calm {
  /** Ends it, and checks that nothing of it was lost, repeated, out of order, late, or started again. */
  undisturbed(): Promise<void>
}

/** Applies the route, waits until it runs, and begins to publish. */
export async function startCalm(whole: Whole): Promise<Calm> {
  await whole.apply(route)
  await whole.untilRunning('calm')
  const epochs = () => Promise.all(['source.calm.0', 'sink.calm.0'].map(async id => (await actorOf(whole, id)).epoch))
  const before = await epochs()
  const standstills = new Standstills()
  const stop = new AbortController()
  const ledger = new Ledger()
  const publishing = publishUntil(stop.signal, whole.mosquitto.url, ledger)
  return {
    async undisturbed() {
      stop.abort()
      const count = await publishing
      await eventually(async () => (await whole.kafka.readAll('calm')).length >= count, { what: 'calm is delivered' })
      const records = await whole.kafka.readAll('calm')
      standstills[Symbol.dispose]()
      const journeys = records.map(({ value, timestamp }) => {
        const { number, at } = JSON.parse(String(value))
        ledger.delivered('calm', number)
        return { number, from: at, to: timestamp }
      })
      const late = journeys.filter(journey => journey.to - journey.from - standstills.within(journey) >= mostDelay)
      if (late.length > 0) throw new Error(`${standstills.told} ${await describeLate(whole, 'calm', late)}`)
      const whatCame = { acknowledged: count, delivered: count, lost: [], outOfOrder: [], duplicates: 0 }
      const machine = standstills.told
      expect({ ...ledger.report(), epochs: await epochs(), machine }).toMatchObject({
        ...whatCame,
        epochs: before,
        machine,
      })
    },
  }
}

/** Returns how many messages it published. */
async function publishUntil(signal: AbortSignal, url: string, ledger: Ledger): Promise<number> {
  const client = await connectAsync(url, { protocolVersion: 5 })
  let number = 0
  while (!signal.aborted) {
    await client.publishAsync('calm/n', JSON.stringify({ number, at: Date.now() }), { qos: 1 })
    ledger.acknowledged('calm', number++)
    await sleep(50)
  }
  await client.endAsync()
  return number
}
