/**
 * The bare subscriber that the benchmark through a broker is compared with: MQTT.js at its defaults, which acknowledges
 * by itself and does nothing with what it gets. Says `{done}` when it has everything.
 */
import { connectAsync } from 'mqtt'
import { now } from './stamp.ts'

const orders: { url: string; topics: string[]; total: number } = JSON.parse(process.argv[2] ?? '{}')
const client = await connectAsync(orders.url, {
  protocolVersion: 5,
  clean: true,
  properties: { receiveMaximum: 10_000 },
})
let received = 0
let startedAt = 0
client.on('message', () => {
  if (received === 0) startedAt = now()
  received += 1
  if (received === orders.total) process.send?.({ done: { seconds: (now() - startedAt) / 1000, startedAt } })
})
await client.subscribeAsync(orders.topics, { qos: 1 })
process.send?.({ ready: true })
process.on('disconnect', () => process.exit(0))
