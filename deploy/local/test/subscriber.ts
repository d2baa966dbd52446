/** A subscriber with a session of its own, as a user's program has: what it follows is what an MQTT sink delivers. */
import { connectAsync } from 'mqtt'
import type { Arrival, Follow } from './tally.ts'

/** An MQTT client that stays subscribed over the death of its broker. */
export interface Subscriber extends AsyncDisposable {
  /** The messages of every publisher: its name is the second topic level. Everything since the subscriber began is told. */
  follow: Follow
}

/** Subscribes with QoS 1; resolves when the broker has granted it. */
export async function subscribe(url: string, filter: string): Promise<Subscriber> {
  const came: Arrival[] = []
  const client = await connectAsync(url, {
    protocolVersion: 5,
    clientId: `subscriber of ${filter}`,
    clean: false,
    reconnectPeriod: 200,
    properties: { sessionExpiryInterval: 3_600 },
  })
  // A broker that is away is part of the test: MQTT.js tries again by itself.
  client.on('error', () => undefined)
  client.on('message', (topic, payload) => {
    came.push({ publisher: topic.split('/')[1] ?? '', payload, place: `arrival ${came.length}` })
  })
  await client.subscribeAsync(filter, { qos: 1 })
  return {
    follow: tell => {
      let told = 0
      return async () => {
        for (const arrival of came.slice(told)) tell(arrival)
        told = came.length
      }
    },
    [Symbol.asyncDispose]: () => client.endAsync(true),
  }
}
