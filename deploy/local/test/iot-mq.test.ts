/** Documents of Azure IoT MQ run as they stand: in both directions, with what they say of keys, properties and batches. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, noLeaks } from '@millrace/testkit'
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWhole, type Whole } from './whole.ts'

noLeaks()

const documents = (endpoints: { kafka: number; mqtt: number; tokens: string }) => `
apiVersion: mq.iotoperations.azure.com/v1beta1
kind: KafkaConnector
metadata: { name: Plant.Hub, namespace: azure-iot-operations }
spec:
  image: { pullPolicy: IfNotPresent, repository: e4kpreview.azurecr.io/kafka, tag: 0.6.0 }
  instances: 2
  clientIdPrefix: my-prefix
  logLevel: debug
  kafkaConnection:
    endpoint: 127.0.0.1:${endpoints.kafka}
    tls: { tlsEnabled: false }
  localBrokerConnection:
    endpoint: 127.0.0.1:${endpoints.mqtt}
    authentication: { kubernetes: { secretPath: ${endpoints.tokens}, serviceAccountTokenName: sat } }
---
apiVersion: mq.iotoperations.azure.com/v1beta1
kind: KafkaConnectorTopicMap
metadata: { name: map, namespace: azure-iot-operations }
spec:
  kafkaConnectorRef: Plant.Hub
  compression: snappy
  batching: { enabled: true, latencyMs: 1000, maxMessages: 100, maxBytes: 1024 }
  partitionStrategy: property
  partitionKeyProperty: device-id
  copyMqttProperties: true
  routes:
    - mqttToKafka:
        name: up
        mqttTopic: alerts/#
        kafkaTopic: hub
        kafkaAcks: all
        sharedSubscription: { groupName: group1, groupMinimumShareNumber: 2 }
    - kafkaToMqtt: { name: down, consumerGroupId: e4k, kafkaTopic: hub, mqttTopic: commands }
`

let whole: Whole
let tokens: string
let client: MqttClient
beforeAll(async () => {
  tokens = await mkdtemp(path.join(tmpdir(), 'millrace-tokens-'))
  await writeFile(path.join(tokens, 'sat'), 'a-token\n')
  whole = await startWhole({ instances: { 'kafka-ingress': 1, 'mqtt-egress': 1 } })
  client = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
})
afterAll(async () => {
  await client.endAsync()
  await whole[Symbol.asyncDispose]()
  await rm(tokens, { recursive: true })
})

test('a connector and its topic map carry messages both ways', async () => {
  await whole.kafka.createTopic('hub', 3)
  const came: IPublishPacket[] = []
  client.on('message', (_topic, _payload, packet) => void came.push(packet))
  await client.subscribeAsync('commands', { qos: 1 })
  await whole.apply(documents({ kafka: whole.kafka.port, mqtt: whole.mosquitto.port, tokens }))
  await whole.untilRunning('map-up')
  await whole.untilRunning('map-down')

  const numbers = Array.from({ length: 300 }, (_, number) => number)
  for (const number of numbers) {
    const userProperties = { 'device-id': `device-${number % 7}` }
    const properties = { contentType: 'text/plain', userProperties }
    await client.publishAsync(`alerts/${number}`, String(number), { qos: 1, properties })
  }
  const arrived = () => new Set(came.map(({ payload }) => String(payload)))
  await eventually(async () => arrived().size === numbers.length, { what: 'all are back in MQTT', timeout: 60_000 })

  const records = await whole.kafka.consoleConsumer('hub', numbers.length)
  expect(records.map(({ key, value }) => key === `device-${Number(value) % 7}`)).toEqual(numbers.map(() => true))
  expect(
    new Map(came.map(({ payload, properties }) => [String(payload), properties?.userProperties])).get('8'),
  ).toEqual(expect.objectContaining({ 'device-id': 'device-1', 'Content Type': 'text/plain', Key: 'device-1' }))
  // mosquitto knows no authentication method: they came by user name and password.
  const log = await readFile(path.join(whole.mosquitto.folder, 'mosquitto.log'), 'utf8')
  for (const id of ['-map-up-0', '-map-up-1', '-map-down\\.hub\\.[0-2]-out'])
    expect(log).toMatch(new RegExp(`as my-prefix:\\w+${id} .*u'\\$sat'`))
})
