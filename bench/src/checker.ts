/**
 * A process that reads the Kafka topic with kafkajs, as any consumer would, and checks what arrived from the outside:
 * every message once at least, in order over first arrivals for each publisher and key, how many twice, and how long
 * after its stamp (to Kafka's append, by the broker's own LogAppendTime; and to this consumer).
 * Says `{ready}` when it has joined, and `{done}` when all that it expects has arrived or nothing more has come.
 */
import { Kafka, logLevel } from 'kafkajs'
import { now, readStamp, STAMP_BYTES } from './stamp.ts'

interface CheckOrders {
  brokers: string[]
  topic: string
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

/** Latencies in buckets of 0.1 ms up to a minute: exact enough, and nothing is kept per message. */
class Latencies {
  readonly #buckets = new Uint32Array(600_001)
  #count = 0

  add(ms: number): void {
    const bucket = Math.min(Math.max(Math.round(ms * 10), 0), this.#buckets.length - 1)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
  }

  percentile(share: number): number {
    let seen = 0
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count
      if (seen >= this.#count * share && seen > 0) return bucket / 10
    }
    return 0
  }

  summary(): { p50: number; p99: number } {
    return { p50: this.percentile(0.5), p99: this.percentile(0.99) }
  }
}

/** Marks first arrivals; order is judged over those alone, for each publisher and key. */
class Arrivals {
  readonly #seen: Uint8Array[]
  readonly #last = new Map<string, number>()
  delivered = 0
  duplicates = 0
  outOfOrder = 0

  constructor(publishers: number, each: number) {
    this.#seen = Array.from({ length: publishers }, () => new Uint8Array(each))
  }

  add(publisher: number, number: number, key: string): void {
    const seen = this.#seen[publisher]
    if (seen === undefined || number >= seen.length) throw new RangeError(`no publisher ${publisher} sent ${number}`)
    if (seen[number] === 1) {
      this.duplicates += 1
      return
    }
    seen[number] = 1
    this.delivered += 1
    const stream = `${publisher}/${key}`
    if ((this.#last.get(stream) ?? -1) > number) this.outOfOrder += 1
    else this.#last.set(stream, number)
  }
}

const orders: CheckOrders = JSON.parse(process.argv[2] ?? '{}')
const arrivals = new Arrivals(orders.publishers, orders.each)
const expected = orders.publishers * orders.each
const toAppend = new Latencies()
const toConsumer = new Latencies()
const kafka = new Kafka({ brokers: orders.brokers, clientId: 'bench-checker', logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 100, minBytes: 1 })

function findings(): Findings {
  const { delivered, duplicates, outOfOrder } = arrivals
  const latencies = { toAppend: toAppend.summary(), toConsumer: toConsumer.summary() }
  return { delivered, lost: expected - delivered, duplicates, outOfOrder, ...latencies }
}

let quiet = setTimeout(finish, orders.quietMs * 4)
function finish(): void {
  process.send?.({ done: findings() }, () => process.exit(0))
}

consumer.on('consumer.group_join', () => process.send?.({ ready: true }))
await consumer.connect()
await consumer.subscribe({ topics: [orders.topic], fromBeginning: true })
process.on('disconnect', () => process.exit(0))
await consumer.run({
  autoCommit: false,
  eachBatch: ({ batch }) => {
    const arrivedAt = now()
    for (const message of batch.messages) {
      if (message.value === null || message.value.length < STAMP_BYTES) throw new Error('a record without a stamp')
      const stamp = readStamp(message.value)
      arrivals.add(stamp.publisher, stamp.number, message.key?.toString() ?? '')
      toAppend.add(Number(message.timestamp) - stamp.at)
      toConsumer.add(arrivedAt - stamp.at)
    }
    clearTimeout(quiet)
    quiet = setTimeout(finish, arrivals.delivered === expected ? 300 : orders.quietMs)
    return Promise.resolve()
  },
})
