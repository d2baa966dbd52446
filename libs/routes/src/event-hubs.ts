/**
 * Azure Event Hubs behind Kafka's protocol: what it takes, and what it does not. Its limits are in its documentation,
 * "Apache Kafka client configurations" and "What is Event Hubs for Kafka".
 */
import { type Checked, tell } from './fields.ts'
import { errorAt, type Finding, warningAt } from './finding.ts'
import { isOnThisMachine, type KafkaLogin } from './kafka-connection-rules.ts'
import type { KafkaSink } from './kafka-sink.ts'
import type { Route } from './route.ts'

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
  if (auth === undefined ? isEmulator : /^(plain|oauthbearer)$/.test(auth.sasl?.mechanism ?? '')) return
  const hint = 'with plain, the user name is $ConnectionString and the password is the connection string'
  const path = auth === undefined ? ['brokers'] : ['auth']
  tell(checked, 'Event Hubs knows SASL plain and oauthbearer only', { code: 'event_hubs', hint, path })
}

/** A request above 1,046,528 bytes makes a hub close the connection; this leaves room for what is around a batch. */
const largestBatch = 1_000_000

/** What a hub does not take of a route that ends there. */
export function checkHubSink({ delivery }: Route, sink: KafkaSink): Finding[] {
  const findings: Finding[] = []
  if (sink.compression !== 'none' && sink.compression !== 'gzip') {
    const message = `Event Hubs refuses ${sink.compression}: the route will run uncompressed; gzip works in its premium tiers`
    findings.push(warningAt(['sink', 'compression'], 'event_hubs', message))
  }
  if (sink.createTopic !== undefined) {
    const message = 'Event Hubs makes no topics for a client: make the hub beforehand, in Azure'
    findings.push(errorAt(['sink', 'createTopic'], 'event_hubs', message))
  }
  if (sink.batch.maxBytes > largestBatch) {
    const message = `Event Hubs closes the connection on a larger request: at most ${largestBatch}B`
    findings.push(errorAt(['sink', 'batch', 'maxBytes'], 'event_hubs', message))
  }
  if (delivery === 'exactlyOnce') {
    const message =
      'Event Hubs has transactions in its premium tiers only, as a preview; where it has none, the lane holds'
    findings.push(warningAt(['delivery'], 'event_hubs', message))
  }
  return findings
}
