/**
 * A process that reads the Kafka topic with kcat and checks what arrived from the outside: every message once at least,
 * in order over first arrivals for each publisher and key, how many twice, and how long after its stamp (to Kafka's
 * append, by the broker's own LogAppendTime; and to this process, behind the consumer).
 * Says `{ready}` when it reads, and `{done}` when all that it expects has arrived or nothing more has come.
 */
import { Arrivals, Latencies } from './arrivals.ts'
import { type Reading, readTopic } from './kcat.ts'
import { now, readStamp, STAMP_BYTES } from './stamp.ts'

interface CheckOrders extends Reading {
  publishers: number
  /** Messages of each publisher. */
  each: number
  /** Give up when nothing new has come for so long. */
  quietMs: number
}

/** What a checker found. Latencies are in milliseconds. */
export interface Findings {
  delivered: number
  lost: number
  duplicates: number
  outOfOrder: number
  toAppend: { p50: number; p99: number }
  toConsumer: { p50: number; p99: number }
}

const orders: CheckOrders = JSON.parse(process.argv[2] ?? '{}')
const arrivals = new Arrivals(orders.publishers, orders.each)
const expected = orders.publishers * orders.each
const toAppend = new Latencies()
const toConsumer = new Latencies()

function findings(): Findings {
  const { delivered, duplicates, outOfOrder } = arrivals
  const latencies = { toAppend: toAppend.summary(), toConsumer: toConsumer.summary() }
  return { delivered, lost: expected - delivered, duplicates, outOfOrder, ...latencies }
}

function finish(): void {
  clearInterval(looking)
  void end().then(() => process.send?.({ done: findings() }, () => process.exit(0)))
}

/** Looked at now and then: a timer set anew with each record would cost more than the record. */
let counted = -1
function look(): void {
  const came = arrivals.delivered + arrivals.duplicates
  if (came !== counted) {
    counted = came
    clearTimeout(quiet)
    quiet = setTimeout(finish, arrivals.delivered === expected ? 500 : orders.quietMs)
  }
}

process.on('disconnect', () => process.exit(0))
const end = await readTopic(orders, (payload, timestamp, key) => {
  if (payload.length < STAMP_BYTES) throw new Error('a record without a stamp')
  const stamp = readStamp(payload)
  arrivals.add(stamp.publisher, stamp.number, key)
  toAppend.add(timestamp - stamp.at)
  toConsumer.add(now() - stamp.at)
})
let quiet = setTimeout(finish, orders.quietMs * 4)
const looking = setInterval(look, 200)
process.send?.({ ready: true })
