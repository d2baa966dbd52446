/** `KafkaConnectorTopicMap` of Azure IoT MQ: what goes from which topic to which, by a connector, in either direction. */
import { z } from 'zod'
import { type Checked, exactlyOne, fields, flag, integer, list, oneOf, tell, text } from '../fields.ts'
import { checkTopicName } from '../kafka-topic.ts'
import { isShared } from '../mqtt-filter.ts'
import { isTemplate } from '../template.ts'
import { resource } from './resource.ts'

/** A topic map, with its defaults filled in. */
export interface TopicMap {
  metadata: { name: string }
  spec: {
    kafkaConnectorRef: string
    compression: 'none' | 'gzip' | 'snappy' | 'lz4'
    batching?: Batching | undefined
    partitionStrategy: 'default' | 'static' | 'topic' | 'property'
    partitionKeyProperty?: string | undefined
    /** Azure's resource manager writes it as text. */
    copyMqttProperties: boolean | 'true' | 'false'
    /** Exactly one of the two in each. */
    routes: { mqttToKafka?: MqttToKafka | undefined; kafkaToMqtt?: KafkaToMqtt | undefined }[]
  }
}

/** What is gathered before it is sent. */
interface Batching {
  enabled: boolean
  latencyMs: number
  maxMessages: number
  maxBytes: number
}

/** A route from the local broker; `mqttTopic` is a filter. */
export interface MqttToKafka {
  name: string
  mqttTopic: string
  kafkaTopic: string
  kafkaAcks: 'zero' | 'one' | 'all'
  qos: 0 | 1
  sharedSubscription?: { groupName: string; groupMinimumShareNumber: number } | undefined
}

/** A route to the local broker. */
export interface KafkaToMqtt {
  name: string
  kafkaTopic: string
  mqttTopic: string
  /** A prefix. */
  consumerGroupId?: string | undefined
  qos: 0 | 1
  /** Has no meaning in this direction; published examples have it all the same. */
  sharedSubscription?: unknown
}

const ends = {
  name: text(),
  mqttTopic: text().check(checkFixed).check(checkNotShared),
  kafkaTopic: text().check(checkTopicName),
  qos: oneOf(0, 1).default(1),
}

const mqttToKafka = fields({
  ...ends,
  kafkaAcks: oneOf('zero', 'one', 'all').default('one'),
  sharedSubscription: fields({ groupName: text(), groupMinimumShareNumber: integer(0, 255) }).optional(),
})

const kafkaToMqtt = fields({
  ...ends,
  consumerGroupId: text().optional(),
  sharedSubscription: z.unknown().optional(),
})

/** Of a whole number of 32 bits. */
const largest = 2 ** 32 - 1

const batching = fields({
  enabled: flag().default(false),
  latencyMs: integer(0, 65_535).default(5),
  maxMessages: integer(0, largest).default(100_000),
  maxBytes: integer(0, largest).default(1_000_000),
})

/** A topic map as it is written. */
export const topicMap: z.ZodType<TopicMap> = resource({
  kind: oneOf('KafkaConnectorTopicMap'),
  spec: fields({
    kafkaConnectorRef: text(),
    compression: oneOf('none', 'gzip', 'snappy', 'lz4').default('none'),
    batching: batching.optional(),
    partitionStrategy: oneOf('default', 'static', 'topic', 'property').default('default'),
    partitionKeyProperty: text().optional(),
    copyMqttProperties: oneOf<boolean | 'true' | 'false'>(true, false, 'true', 'false').default(false),
    routes: list(exactlyOne({ mqttToKafka: mqttToKafka.optional(), kafkaToMqtt: kafkaToMqtt.optional() })),
  }).check(checkKeyProperty),
})

/** `${` begins an expression here, and is nothing special there. */
function checkFixed(checked: Checked<string>): void {
  if (!isTemplate(checked.value)) return
  const hint = 'convert the document, and write a template in the route that it makes'
  tell(checked, 'a topic is fixed text: it can have no ${', { code: 'bad_topic', hint })
}

function checkNotShared(checked: Checked<string>): void {
  if (!isShared(checked.value)) return
  const hint = 'write the plain topic, and the group in sharedSubscription.groupName'
  tell(checked, 'a shared subscription is not written as a topic', { code: 'bad_topic', hint })
}

function checkKeyProperty(checked: Checked<{ partitionStrategy: string; partitionKeyProperty?: unknown }>): void {
  const { partitionStrategy, partitionKeyProperty } = checked.value
  if (partitionStrategy !== 'property' || partitionKeyProperty !== undefined) return
  const message = 'missing; expected the user property that partitionStrategy: property is about'
  tell(checked, message, { code: 'invalid_value', path: ['partitionKeyProperty'] })
}
