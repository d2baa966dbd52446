/**
 * A source in a process of its own, to be killed: it counts. Its position is the next number, so it repeats nothing
 * and leaves nothing out, however often it is started again. Arguments: port, route, epoch, how far to count.
 * It tells its parent `{stored: n}` (all below n are stored), and `{ended: name of the error}`.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { connectBus } from '@millrace/bus'
import { passwords } from '../../../bus/test/installation.ts'
import { openWriter } from '../../src/index.ts'
import { view } from '../records.ts'

const [port, route = '', epoch, total] = process.argv.slice(2)
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
  next = first = Number(writer.position ?? 0)
  const count = async () => {
    while (next < Number(total)) {
      for (let i = 0; i < 50 && writer.room && next < Number(total); i++) writer.add(view(String(next++)))
      if (writer.room) await turn()
      else await new Promise<void>(resolve => (roomAgain = resolve))
    }
    await writer.flush()
  }
  await Promise.race([count(), writer.ended])
} catch (error) {
  process.send?.({ ended: error instanceof Error ? error.name : String(error) })
}
process.disconnect?.()
await bus[Symbol.asyncDispose]()
