/**
 * A process that subscribes with MQTT.js and checks what arrives: every message once at least, in order over first
 * arrivals for each key (the topic's second level), how many twice. Says `{ready}` when it is subscribed, and `{done}` when
 * all that it expects has arrived or nothing more has come.
 */
import { connectAsync } from 'mqtt'
import { Arrivals } from './arrivals.ts'
import { now, readStamp } from './stamp.ts'

/** What it found; seconds from the first message to the last. */
export interface MqttFindings {
  delivered: number
  duplicates: number
  outOfOrder: number
  lost: number
  seconds: number
}

interface Orders {
  url: string
  filter: string
  records: number
  /** Give up when nothing new has come for so long. */
  quietMs: number
}

const { url, filter, records, quietMs }: Orders = JSON.parse(process.argv[2] ?? '{}')
const arrivals = new Arrivals(1, records)
const properties = { receiveMaximum: 10_000 }
const client = await connectAsync(url, { protocolVersion: 5, clean: true, properties })
let [startedAt, lastAt] = [0, 0]
process.on('disconnect', () => process.exit(0))

function finish(): void {
  clearInterval(looking)
  const { delivered, duplicates, outOfOrder } = arrivals
  const done = { delivered, duplicates, outOfOrder, lost: records - delivered, seconds: (lastAt - startedAt) / 1000 }
  process.send?.({ done }, () => process.exit(0))
}

client.on('message', (topic, payload) => {
  lastAt = now()
  if (startedAt === 0) startedAt = lastAt
  const { publisher, number } = readStamp(payload)
  arrivals.add(publisher, number, topic.slice(topic.indexOf('/') + 1))
})
const looking = setInterval(() => {
  const rest = arrivals.delivered === records ? 500 : startedAt === 0 ? quietMs * 10 : quietMs
  if (now() - Math.max(lastAt, begun) > rest) finish()
}, 200)
await client.subscribeAsync(filter, { qos: 1 })
const begun = now()
process.send?.({ ready: true })
