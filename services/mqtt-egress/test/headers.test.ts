import { eventually, freePort, install, noLeaks, startMosquitto } from '@millrace/testkit'
import { positionKey } from '@millrace/bus'
import { expect, test } from 'vitest'
import { actorOf, applyRoutes, instanceOf, laneOf, openSource, Subscriber } from './rig.ts'

noLeaks()

const text = (name: string, value: string): [string, Buffer] => [name, Buffer.from(value)]

test('properties are restored, what has expired is left out and counted, what MQTT can’t carry is told', async () => {
  await using broker = await startMosquitto()
  await using installation = await install()
  await applyRoutes(installation, { brokerUrl: broker.url, sinks: { all: 'topic: out, qos: keep' } })
  await using subscriber = await Subscriber.open(broker.url, 'out')
  const source = await openSource(installation, 'all')
  await source.append([
    {
      value: Buffer.of(0, 255),
      headers: [
        text('mqtt.topic', 'in'),
        text('mqtt.qos', '2'),
        text('mqtt.content-type', 'text/plain'),
        text('mqtt.response-topic', 'answers'),
        ['mqtt.correlation-data', Buffer.of(0, 200, 255)],
        text('mqtt.payload-format', '0'),
        text('mqtt.expires-at', String(Date.now() + 3_600_000)),
        text('a', '1'),
        text('user.mqtt.topic', 'mine'),
        text('a', ''),
      ],
    },
    { value: Buffer.from('late'), headers: [text('mqtt.expires-at', '1000')] },
    { value: Buffer.from('binary'), headers: [['bytes', Buffer.of(0xff)], text('kept', 'yes')] },
  ])
  await using instance = instanceOf(installation, 'all')
  await instance.assign(actorOf('all', 1))
  await eventually(() => subscriber.packets.length === 2, { what: 'both' })
  // Brokers and subscribers keep order within a QoS only.
  const [binary, whole] = subscriber.packets.toSorted((a, b) => a.qos - b.qos)
  expect(whole).toMatchObject({
    qos: 2,
    payload: Buffer.of(0, 255),
    properties: {
      payloadFormatIndicator: false,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.of(0, 200, 255),
      userProperties: { a: ['1', ''], 'mqtt.topic': 'mine' },
    },
  })
  expect(whole?.properties?.messageExpiryInterval).toBeGreaterThan(3_500)
  expect(binary?.properties?.userProperties).toMatchObject({ kept: 'yes', 'kafka.partition': '0' })
  await eventually(
    async () => {
      const key = positionKey({ ...laneOf('all'), service: 'mqtt-egress' })
      const { out, filtered } = (await installation.positions().read(key))?.value.totals ?? {}
      return out === 2 && filtered === 1
    },
    { what: 'two delivered and one filtered' },
  )
  await source.append([{ value: Buffer.from('next') }])
  await eventually(() => subscriber.packets.length === 3, { what: 'the next one' })
  expect((await instance.state('sink.all.in/0', 'running', 'headers_left_out')).counts).toMatchObject({
    expired: 1,
    leftOut: 1,
  })
})

test('what a broker can’t do was told once only, and a lower QoS never', async () => {
  const port = await freePort()
  const limited = `retain_available false\nlistener ${port} 127.0.0.1\nmax_qos 1`
  await using broker = await startMosquitto({ extra: limited })
  expect(broker.alive).toBe(true)
  await using installation = await install()
  await applyRoutes(installation, { brokerUrl: `mqtt://127.0.0.1:${port}`, sinks: { limits: 'topic: out, qos: keep' } })
  const source = await openSource(installation, 'limits')
  await using instance = instanceOf(installation, 'limits')
  await instance.assign(actorOf('limits', 1))
  await source.append([{ value: Buffer.from('binary'), headers: [['bytes', Buffer.of(0xff)]] }])
  await instance.state('sink.limits.in/0', 'running', 'headers_left_out')
  await source.append([{ value: Buffer.from('kept'), headers: [text('mqtt.qos', '2'), text('mqtt.retain', 'true')] }])
  const words = async () => {
    const { problem } = await instance.state('sink.limits.in/0', 'running', 'headers_left_out')
    return problem !== undefined && /can't carry.*no retained messages.*takes QoS 1 at most/.test(problem.message)
  }
  expect(await eventually(words, { what: 'all three told' })).toBe(true)
})

test('MQTT 3.1.1 over WebSocket: the payloads, in order', async () => {
  const port = await freePort()
  await using broker = await startMosquitto({ extra: `listener ${port} 127.0.0.1\nprotocol websockets` })
  await using installation = await install()
  const brokerUrl = `ws://127.0.0.1:${port}/mqtt`
  await applyRoutes(installation, { brokerUrl, version: '3.1.1', sinks: { old: 'topic: "out/${record.key}"' } })
  await using subscriber = await Subscriber.open(broker.url, 'out/#')
  const source = await openSource(installation, 'old')
  const values = Array.from({ length: 500 }, (_, n) => `${n % 3}:${n}`)
  await source.append(values)
  await using instance = instanceOf(installation, 'old')
  await instance.assign(actorOf('old', 1))
  await eventually(() => subscriber.packets.length === values.length, { what: 'all' })
  expect(subscriber.values).toEqual(values)
})
