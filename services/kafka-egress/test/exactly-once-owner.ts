/**
 * A sink that delivers exactly once, in a process of its own, to be killed or stopped at any instruction. Arguments:
 * port of NATS and the password there, Kafka's broker, route (and topic), epoch; and after how many milliseconds the
 * broker aborts an open transaction: then it stops in its third one, until it is told to go on. It begins when it is told
 * `go` and drains when it is told `drain`. It tells `phase` before and after each step of a transaction, and at its end
 * the name of its error.
 *
 * It does what an instance does, but for the lease: only fences stand between two of them.
 */
import { once } from 'node:events'
import { delay } from '@millrace/actor'
import { AlarmError, connectBus, FencedError } from '@millrace/bus'
import { KafkaError } from '@millrace/kafka'
import { deliver, type TransactionalSink } from '@millrace/lane'
import { openExactlyOnce, openHasty } from './sink-rig.ts'

const [port, password = '', broker = '', route = '', epoch, timeout] = process.argv.slice(2)
const { signal } = new AbortController()
const draining = new AbortController()
let commits = 0
const user = 'kafka-egress'

await once(process, 'message')
process.on('message', () => draining.abort())
const bus = await connectBus({
  url: `nats://127.0.0.1:${port}`,
  user,
  password,
  name: 'owner',
  signal,
})

async function told<T>(act: () => Promise<T>): Promise<T> {
  process.send?.('phase')
  const done = await act()
  process.send?.('phase')
  return done
}

async function own(): Promise<void> {
  const wish = { broker, topic: route, uid: route.toUpperCase(), signal }
  const sink = await (timeout === undefined ? openExactlyOnce(wish) : openHasty(wish, Number(timeout)))
  const telling: TransactionalSink = {
    keptIn: sink.keptIn,
    positionIn: place => sink.positionIn(place),
    recover: () => told(() => sink.recover()),
    write: delivery => told(() => sink.write(delivery)),
    commit(position) {
      if (timeout !== undefined && ++commits === 3) process.kill(process.pid, 'SIGSTOP')
      return told(() => sink.commit(position))
    },
    close: () => sink.close(),
  }
  await deliver({
    bus,
    lane: { service: 'mqtt-ingress', route, lane: '0' },
    sinkService: user,
    uid: route.toUpperCase(),
    epoch: Number(epoch),
    sink: telling,
    merge: { records: 400, bytes: 2 ** 20 },
    signal,
    draining: draining.signal,
    state() {},
    counts: { out: 0, dead: 0, filtered: 0, pending: 0 },
  })
}

/** Keeps it running, as a supervisor does; gives the name of the error that ends it. */
async function supervise(): Promise<string> {
  while (!draining.signal.aborted) {
    try {
      await own()
    } catch (error) {
      if (error instanceof FencedError || error instanceof AlarmError) return error.name
      if (!(error instanceof KafkaError)) process.send?.(`again after ${(error as Error).name}`)
      await delay(50, draining.signal)
    }
  }
  return 'drained'
}

const ended = await supervise()
await new Promise(sent => process.send?.(ended, sent))
process.disconnect?.()
await bus[Symbol.asyncDispose]()
