/**
 * A source in a process of its own, to be killed: it counts. Its position is the next number, so it repeats nothing
 * and leaves nothing out, however often it is started again. Arguments: port, route, epoch, and the
 * number below which all were acknowledged: those it has forgotten, as a broker does. It stops at any message
 * from its parent, and tells it `{stored: n}` (all below n are stored), `{finished: n}`, and `{ended: name of the error}`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectBus } from '@millrace/bus'
import { passwords } from '@millrace/testkit'
import { openWriter } from '../../src/index.ts'
import { view } from '../records.ts'

const [port, route = '', epoch, forgotten] = process.argv.slice(2)
const { signal } = new AbortController()
const user = 'mqtt-ingress'
const bus = await connectBus({
  url: `nats://127.0.0.1:${port}`,
  user,
  password: passwords[user],
  name: 'write',
  signal,
})
let next = 0
let first = 0
let roomAgain = (): void => {}
const enough = new AbortController()
process.once('message', () => enough.abort())

try {
  const writer = await openWriter({
    bus,
    lane: { service: user, route, lane: '0' },
    uid: route.toUpperCase(),
    epoch: Number(epoch),
    signal,
    start: previous => previous ?? '0',
    tell() {},
    share: { records: 2_000, bytes: 2 ** 20 },
    counts: { in: 0, refused: 0, pending: 0 },
    events: {
      stored: ordinal => process.send?.({ stored: first + ordinal }),
      roomAgain: () => roomAgain(),
      position: () => String(next),
    },
  })
  next = first = Math.max(Number(writer.position ?? 0), Number(forgotten))
  const count = async () => {
    while (!enough.signal.aborted) {
      for (let i = 0; i < 100 && writer.room; i++) writer.add(view(String(next++)))
      if (writer.room) await sleep(1)
      else await new Promise<void>(resolve => (roomAgain = resolve))
    }
    await writer.flush()
    await new Promise(sent => process.send?.({ finished: next }, sent))
  }
  await Promise.race([count(), writer.ended])
} catch (error) {
  const ended = error instanceof Error ? error.name : String(error)
  await new Promise(sent => process.send?.({ ended }, sent))
}
process.disconnect?.()
await bus[Symbol.asyncDispose]()
