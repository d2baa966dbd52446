/**
 * Azure Event Hubs behind Kafka's protocol: whom it lets in. Its rules are in its documentation,
 * "Apache Kafka client configurations" and "What is Event Hubs for Kafka".
 */
import { type Checked, tell } from './fields.ts'
import { isOnThisMachine, type KafkaLogin } from './kafka-connection-rules.ts'

/** The name spaces of Azure's clouds. */
const hubHost = /\.servicebus\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de):\d+$/i

/** Whether a Kafka connection leads to Event Hubs: its profile says so, or a broker's host. */
export function isEventHubs({ brokers, profile }: { brokers: readonly string[]; profile?: unknown }): boolean {
  return profile === 'eventHubs' || brokers.some(broker => hubHost.test(broker))
}

/** A hub lets nobody in without TLS, and by SASL plain or oauthbearer alone. The emulator on this machine has no TLS. */
export function checkEventHubs(checked: Checked<KafkaLogin & { profile?: unknown }>): void {
  const { brokers, tls, auth } = checked.value
  if (!isEventHubs(checked.value)) return
  const isEmulator = brokers.every(isOnThisMachine)
  if (tls === undefined && !isEmulator) {
    tell(checked, 'Event Hubs speaks TLS only', { code: 'event_hubs', hint: 'add tls: {}', path: ['brokers'] })
  }
  if (auth?.managedIdentity !== undefined) return
  if (auth === undefined ? isEmulator : /^(plain|oauthbearer)$/.test(auth.sasl?.mechanism ?? '')) return
  const hint = 'with plain, the user name is $ConnectionString and the password is the connection string'
  const path = auth === undefined ? ['brokers'] : ['auth']
  tell(checked, 'Event Hubs knows SASL plain and oauthbearer only', { code: 'event_hubs', hint, path })
}
