/**
 * The lossless headers of MQTT (ARCHITECTURE.md 8): what of a PUBLISH is kept beside its payload and user properties.
 * Here, because what MQTT writes Kafka reads, and the other way round.
 */
import { type HeaderName, headerName } from './header-name.ts'

/** What they are called. */
export const mqttHeader = {
  topic: headerName('mqtt.topic'),
  qos: headerName('mqtt.qos'),
  /** `true`; absent where it is not set. */
  retain: headerName('mqtt.retain'),
  payloadFormat: headerName('mqtt.payload-format'),
  contentType: headerName('mqtt.content-type'),
  responseTopic: headerName('mqtt.response-topic'),
  /** Any bytes. */
  correlationData: headerName('mqtt.correlation-data'),
  /** Milliseconds since the epoch, in decimals. */
  expiresAt: headerName('mqtt.expires-at'),
} as const satisfies Record<string, HeaderName>

/** User properties whose names begin so get `userPrefix` in front, and lose it on the way back. */
export const reservedPrefixes: readonly Buffer[] = ['mqtt.', 'iothub.', 'kafka.', 'user.'].map(prefix =>
  Buffer.from(prefix),
)
export const userPrefix: Buffer = Buffer.from('user.')

/** Whether a range begins with these bytes. */
export function startsWith(bytes: Buffer, start: number, end: number, prefix: Buffer): boolean {
  if (end - start < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false
  return true
}
