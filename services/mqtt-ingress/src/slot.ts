/** What a subscriber slot is called, what it subscribes to, and what its lane's position says. Pure. */
import { isShared, type MqttSource } from '@millrace/routes'
import { z } from 'zod'

/**
 * The position of an MQTT lane. A broker keeps what is not acknowledged, so there is no place in a stream to remember:
 * only which session has it, and what that session is subscribed to.
 */
const position = z.object({
  clientId: z.string(),
  /** All that the session may be subscribed to. */
  filters: z.array(z.string()),
  /** False until the session was subscribed for the first time, and after it was ended on purpose. */
  subscribed: z.boolean(),
})
export type Position = z.infer<typeof position>

/** The filters to subscribe to. Where they are shared, each message goes to one of the clients with the share name. */
export function filtersOf(source: MqttSource, ourShareName: string): string[] {
  const { topics, shareName = ourShareName } = source
  return isShared(source) ? topics.map(topic => `$share/${shareName}/${topic}`) : [...topics]
}

/**
 * The position of the opening batch: whatever the session may be subscribed to, until it is settled.
 *
 * @param previous the lane's last position; undefined in a lane that is new
 * @throws where that is not a position of this service
 */
export function openingPosition(clientId: string, filters: string[], previous: string | undefined): Position {
  const { filters: old, subscribed } = previous === undefined ? endedPosition(clientId) : parse(previous)
  return { clientId, filters: [...new Set([...old, ...filters])], subscribed }
}

/** The position of a slot whose session was ended on purpose, or never begun. */
export function endedPosition(clientId: string): Position {
  return { clientId, filters: [], subscribed: false }
}

function parse(previous: string): Position {
  return position.parse(JSON.parse(previous))
}
