/**
 * MQTT -> Kafka -> MQTT gives back the same PUBLISH: compared on the wire, what the publisher's broker was given with what
 * the other broker gives its subscriber.
 */
import { randomBytes } from 'node:crypto'
import { eventually, type Mosquitto, noLeaks, type Proxy, startMosquitto, startProxy } from '@millrace/testkit'
import * as fc from 'fast-check'
import { connectAsync, type IClientPublishOptions, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publishRaw } from './raw-publisher.ts'
import { startWhole, type Whole } from './whole.ts'
import { tapPublishes, type WirePublish } from './wire.ts'

noLeaks()

const routes = (port: number) => `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: other }
spec: { mqtt: { url: 'mqtt://127.0.0.1:${port}' } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: there }
spec:
  source: { connection: plant, topics: ['trip/#'], qos: 2 }
  sink:
    { connection: lake, topic: trip, batch: { maxBytes: 6MiB },
      createTopic: { partitions: 2, config: { max.message.bytes: '8000000' } } }
---
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: back }
spec:
  source: { connection: lake, topics: [trip] }
  sink: { connection: other, topic: '\${record.headers["mqtt.topic"]}', qos: keep, retain: keep }
`

let whole: Whole
let other: Mosquitto
/** In front of the broker that is published to, and of the one that is subscribed to. */
let [first, last]: Proxy[] = []
const stack = new AsyncDisposableStack()
const [sent, came] = [new Map<string, WirePublish>(), new Map<string, WirePublish[]>()]
beforeAll(async () => {
  whole = stack.use(await startWhole({ instances: { 'kafka-ingress': 1, 'mqtt-egress': 1 } }))
  other = stack.use(await startMosquitto())
  first = stack.use(await startProxy(whole.mosquitto.port))
  last = stack.use(await startProxy(other.port))
  first.onRequest(tapPublishes(publish => sent.set(publish.topic, publish)))
  last.onAnswer(tapPublishes(it => came.set(it.topic, [...(came.get(it.topic) ?? []), it])))
  await whole.apply(routes(other.port))
  await whole.untilRunning('there')
})
afterAll(() => stack.disposeAsync())

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const topicEnd = text.map(end => end.replace(/[+#]/g, '-'))
/** Names that our headers have, or that look like them, are users' names as well. */
const name = fc.oneof(
  text,
  fc.constantFrom('a', 'b', 'mqtt.topic', 'mqtt.qos', 'mqtt.x', 'user.a', 'user.mqtt.topic', 'kafka.key', 'iothub.x'),
  fc.constantFrom('traceparent', 'tracestate', 'millrace.path', 'content-type'),
)
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(array => Buffer.from(array))
const payload = fc.oneof(
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(0)) },
  { weight: 8, arbitrary: bytes(200) },
  { weight: 1, arbitrary: fc.nat(20_000).map(length => Buffer.alloc(length, 7)) },
)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const publishes = fc.record({
  topicEnd,
  payload,
  qos: fc.constantFrom(1, 2),
  retain: fc.boolean(),
  properties: fc.record(
    {
      payloadFormatIndicator: fc.boolean(),
      messageExpiryInterval: fc.integer({ min: 3_600, max: 2 ** 32 - 1 }),
      contentType: text,
      responseTopic: topicEnd.filter(topic => topic !== ''),
      correlationData: bytes(40),
      userProperties: fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })), {
        minKeys: 1,
        maxKeys: 4,
      }),
    },
    { requiredKeys: [] },
  ),
})

/** User properties in any order, which MQTT.js can't send. */
const mixed = fc.record({
  topicEnd,
  payload,
  payloadFormat: maybe(fc.constantFrom(0, 1)),
  userProperties: fc.array(fc.tuple(name, text), { maxLength: 6 }),
})

/** Of mosquitto; whoever has more unacknowledged is cut off. */
const receiveMaximum = 20

async function subscribed(port: number): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  await client.subscribeAsync('trip/#', { qos: 2, rap: true })
  return client
}

async function publishAll(port: number, count: number, seed: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  const open = new Set<Promise<unknown>>()
  for (const [index, one] of fc.sample(publishes, { numRuns: count, seed }).entries()) {
    const { topicEnd, payload, ...options } = one
    const large = index % 2_500 === 0 ? randomBytes(5_000_000) : payload
    const done = client
      .publishAsync(`trip/${index}/${topicEnd}`, large, options as IClientPublishOptions)
      .finally(() => open.delete(done))
    open.add(done)
    while (open.size >= receiveMaximum) await Promise.race(open)
  }
  await Promise.all(open)
  await client.endAsync()
}

async function publishMixed(port: number, count: number, seed: number): Promise<void> {
  const messages = fc.sample(mixed, { numRuns: count, seed }).map(({ topicEnd, payloadFormat, ...one }, index) => ({
    topic: `trip/mixed-${index}/${topicEnd}`,
    ...one,
    ...(payloadFormat === undefined ? {} : { payloadFormat }),
  }))
  for (let at = 0; at < count; at += receiveMaximum) await publishRaw(port, messages.slice(at, at + receiveMaximum))
}

/** What was sent as it must come back; the expiry that is left may be less by so many seconds. */
function difference(
  before: WirePublish,
  after: readonly WirePublish[] | undefined,
  seconds: number,
): string | undefined {
  const [one] = after ?? []
  if (one === undefined || after?.length !== 1) return `came ${after?.length ?? 0} times`
  const { payload, expiry, ...same } = one
  const { payload: sentPayload, expiry: sentExpiry, ...wanted } = before
  if (!payload.equals(sentPayload)) return `${payload.length} bytes of payload for ${sentPayload.length}`
  if ((expiry === undefined) !== (sentExpiry === undefined)) return `expiry ${expiry} for ${sentExpiry}`
  const less = (sentExpiry ?? 0) - (expiry ?? 0)
  if (less < 0 || less > seconds) return `expiry ${expiry} for ${sentExpiry}`
  const [is, must] = [JSON.stringify(same), JSON.stringify(wanted)]
  return is === must ? undefined : `${is} for ${must}`
}

test('10,000 random PUBLISHes, MQTT to Kafka to MQTT, come back as they were', { timeout: 300_000 }, async () => {
  const seed = Date.now() % 2 ** 31
  const begun = Date.now()
  const subscriber = await subscribed(last!.port)
  await publishAll(first!.port, 9_000, seed)
  await publishMixed(first!.port, 1_000, seed)
  expect(sent.size).toBe(10_000)
  await eventually(() => came.size === sent.size, { what: 'all of them', timeout: 120_000 })
  const seconds = (Date.now() - begun) / 1000 + 2
  const wrong = [...sent].flatMap(([topic, publish]) => {
    const why = difference(publish, came.get(topic), seconds)
    return why === undefined ? [] : [`${topic}: ${why}`]
  })
  await subscriber.endAsync()
  expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([])
})
