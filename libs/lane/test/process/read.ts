/**
 * A sink in a process of its own, to be killed. Arguments: port, route, epoch. It tells its parent
 * `{delivered: [first, last]}` for each run of consecutive numbers, and `{ended: name of the error}`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectBus } from '@millrace/bus'
import { passwords } from '@millrace/testkit'
import { deliver, type Delivery, type Outcome, type Sink } from '../../src/index.ts'
import { valueOf } from '../records.ts'

const [port, route = '', epoch] = process.argv.slice(2)
const { signal } = new AbortController()
const draining = new AbortController()
const user = 'kafka-egress'
const bus = await connectBus({ url: `nats://127.0.0.1:${port}`, user, password: passwords[user], name: 'read', signal })

const sink: Sink = {
  async write(delivery: Delivery): Promise<Outcome> {
    const runs: [number, number][] = []
    while (delivery.next()) {
      const number = Number(valueOf(delivery.view))
      const run = runs.at(-1)
      if (run?.[1] === number - 1) run[1] = number
      else runs.push([number, number])
    }
    await sleep(5)
    for (const delivered of runs) process.send?.({ delivered })
    return { is: 'done' }
  },
  again: () => Promise.resolve({ is: 'done' }),
  close: () => Promise.resolve(),
}

process.on('message', () => draining.abort())
try {
  await deliver({
    bus,
    lane: { service: 'mqtt-ingress', route, lane: '0' },
    sinkService: user,
    uid: route.toUpperCase(),
    epoch: Number(epoch),
    sink,
    signal,
    draining: draining.signal,
    state() {},
    counts: { out: 0, dead: 0, filtered: 0, pending: 0 },
  })
} catch (error) {
  const ended = error instanceof Error ? error.name : String(error)
  await new Promise(sent => process.send?.({ ended }, sent))
}
process.disconnect?.()
await bus[Symbol.asyncDispose]()
