/** What an MQTT v5 reason code of 0x80 and above says (MQTT 5.0, 2.4), as far as a broker may send it to a client. */
export interface ReasonCode {
  /** The code's name in the specification. */
  readonly name: string
  /** Whether the same attempt may pass later without anybody changing anything. */
  readonly mayPassLater: boolean
}

const later = (name: string): ReasonCode => ({ name, mayPassLater: true })
const never = (name: string): ReasonCode => ({ name, mayPassLater: false })

const reasonCodes: ReadonlyMap<number, ReasonCode> = new Map([
  // Not of v5: how a broker that speaks 3.1.1 only refuses a newer version.
  [0x01, never('Unacceptable protocol version: the broker does not speak MQTT v5')],
  [0x80, later('Unspecified error')],
  [0x81, never('Malformed packet')],
  [0x82, never('Protocol error')],
  [0x83, later('Implementation specific error')],
  [0x84, never('Unsupported protocol version')],
  [0x85, never('Client identifier not valid')],
  [0x86, never('Bad user name or password')],
  [0x87, never('Not authorized')],
  [0x88, later('Server unavailable')],
  [0x89, later('Server busy')],
  [0x8a, never('Banned')],
  [0x8b, later('Server shutting down')],
  [0x8c, never('Bad authentication method')],
  [0x8d, later('Keep alive timeout')],
  [0x8e, never('Session taken over')],
  [0x8f, never('Topic filter invalid')],
  [0x90, never('Topic name invalid')],
  [0x91, later('Packet identifier in use')],
  [0x93, never('Receive maximum exceeded')],
  [0x94, never('Topic alias invalid')],
  [0x95, never('Packet too large')],
  [0x96, later('Message rate too high')],
  [0x97, later('Quota exceeded')],
  [0x98, later('Administrative action')],
  [0x99, never('Payload format invalid')],
  [0x9a, never('Retain not supported')],
  [0x9b, never('QoS not supported')],
  [0x9c, never('Use another server')],
  [0x9d, never('Server moved')],
  [0x9e, never('Shared subscriptions not supported')],
  [0x9f, later('Connection rate exceeded')],
  [0xa0, later('Maximum connect time')],
  [0xa1, never('Subscription identifiers not supported')],
  [0xa2, never('Wildcard subscriptions not supported')],
])

/** From here on a reason code is an error (MQTT 5.0, 2.4). */
export const firstError = 0x80

/** Looks a code up; an unknown one may pass later. */
export function reasonCode(code: number): ReasonCode {
  return reasonCodes.get(code) ?? later('Unknown reason code')
}

/** The code for people: `Not authorized (0x87)`. */
export function describeReason(code: number): string {
  return `${reasonCode(code).name} (0x${code.toString(16).padStart(2, '0').toUpperCase()})`
}
