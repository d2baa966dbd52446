/** The sink of a route that publishes to an MQTT broker. */
import type { z } from 'zod'
import { fields, name, oneOf, spoken, text } from './fields.ts'
import { checkMqttTopic } from './route-rules.ts'

/** What an MQTT sink publishes, and how. */
export interface MqttSink {
  protocol: 'mqtt'
  /** The name of a connection that speaks `mqtt`. */
  connection: string
  /** A topic, or a template that makes one for each record. */
  topic: string
  /** `keep`: what the header `mqtt.qos` says; 1 where there is none. */
  qos: 0 | 1 | 2 | 'keep'
  /**
   * `keep`: what the header `mqtt.retain` says; false where there is none. Absent: `keep`, or with `headers: none`, which
   * uses no header that is not asked for, false.
   */
  retain?: boolean | 'keep' | undefined
  /** A publish that the broker has nobody for (0x10) is done, or holds its lane until somebody subscribes. */
  onNoSubscribers: 'done' | 'hold'
  /** A record whose expiry has passed while it was under way is left out and counted, or becomes a dead letter. */
  onExpired: 'drop' | 'deadLetter'
}

export const mqttSink: z.ZodType<MqttSink> = spoken(
  'mqtt',
  fields({
    connection: name(),
    topic: text().check(checkMqttTopic),
    qos: oneOf<0 | 1 | 2 | 'keep'>(0, 1, 2, 'keep').default(1),
    retain: oneOf<boolean | 'keep'>(true, false, 'keep').optional(),
    onNoSubscribers: oneOf('done', 'hold').default('done'),
    onExpired: oneOf('drop', 'deadLetter').default('drop'),
  }),
)
