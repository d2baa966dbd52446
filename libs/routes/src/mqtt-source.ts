/** The source of a route that reads an MQTT broker: each subscriber slot is a lane. */
import type { z } from 'zod'
import { duration, fields, integer, list, name, oneOf, spoken, text } from './fields.ts'
import { checkFilter, checkShareName, checkTwice } from './route-rules.ts'

/** What an MQTT source reads. */
export interface MqttSource {
  protocol: 'mqtt'
  /** The name of a connection that speaks `mqtt`. */
  connection: string
  /** MQTT topic filters, each subscribed to by every subscriber. */
  topics: string[]
  /** The highest QoS that is asked of the broker. */
  qos: 0 | 1 | 2
  /** How many MQTT clients share the work, each with a lane of its own. See `isShared`. */
  subscribers: number
  /** The share name that they subscribe under (MQTT v5, 4.8.2). Absent: of one subscriber none, of several our own. */
  shareName?: string | undefined
  /** Milliseconds, whole seconds: how long the broker keeps a session that nobody is connected to. */
  sessionExpiry: number
  /** Whether messages that the broker retains are wanted when it is subscribed to. */
  retained: 'include' | 'skip'
}

export const mqttSource: z.ZodType<MqttSource> = spoken(
  'mqtt',
  fields({
    connection: name(),
    topics: list(text().check(checkFilter)).check(checkTwice),
    qos: oneOf(0, 1, 2).default(1),
    subscribers: integer(1, 1024).default(1),
    shareName: text().check(checkShareName).optional(),
    sessionExpiry: duration({ atLeast: '1m', atMost: '49710d', step: '1s' }).default(7 * 86_400_000),
    retained: oneOf('include', 'skip').default('include'),
  }),
)

/** Whether its subscriptions are shared (`$share`): a message goes to one of the sharers, and order holds within each. */
export const isShared = ({ subscribers, shareName }: MqttSource): boolean => subscribers > 1 || shareName !== undefined
