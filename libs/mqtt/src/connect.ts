import type { Ending } from './ending.ts'
import { type Login, logIn } from './login.ts'
import { Publishing } from './publishing.ts'
import { Session } from './session.ts'

/** Who connects, and to what session. */
export interface ConnectOptions extends Login {
  /** How long the broker keeps the session without a connection, in seconds; 4,294,967,295 is for ever. */
  sessionExpiry: number
  /** How many PUBLISHes of QoS 1 and 2 may be unacknowledged: 1 to 65,535. What comes beyond is held (R8). */
  receiveMaximum: number
  /** In 3.1.1, where SUBSCRIBE can't say it: no retained messages are wanted. */
  skipsRetained?: boolean | undefined
}

/** A session that is connected, or why there is none. */
export type Attempt = { is: 'connected'; session: Session } | Ending

/** A connection to publish over, or why there is none. */
export type PublishingAttempt = { is: 'connected'; publishing: Publishing } | Ending

/**
 * Connects to a broker once and goes on with the client's session, or begins it. Never retries: who calls decides
 * whether another attempt may be made (R11). Nothing behind CONNACK is read before `session.start`, so what a kept
 * session brings at once finds its receiver.
 *
 * Maximum Packet Size is never sent: a broker discards what is larger, and counts it as delivered.
 *
 * @param signal drops the connection at any time, without DISCONNECT; the ending is then `ended`
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Attempt> {
  const { sessionExpiry, receiveMaximum } = options
  const properties = { sessionExpiryInterval: sessionExpiry, receiveMaximum }
  const attempt = await logIn(options, { clean: false, properties }, signal)
  if (attempt.is !== 'welcome') return attempt
  const { sessionPresent, properties: said = {} } = attempt.connack
  const session = new Session(attempt.wire, {
    sessionPresent,
    sessionExpiry: said.sessionExpiryInterval ?? sessionExpiry,
    receiveMaximum,
    ...(options.version === 4 && { skipsRetained: options.skipsRetained, forget: () => forget(options, signal) }),
  })
  return { is: 'connected', session }
}

/** Ends a session of 3.1.1: a clean one takes its place, and ends with its connection. */
async function forget(login: Login, signal: AbortSignal): Promise<void> {
  const attempt = await logIn(login, { clean: true }, signal)
  if (attempt.is !== 'welcome') return
  attempt.wire.close({ is: 'ended' }, { cmd: 'disconnect' })
  await attempt.wire.gone
}

/**
 * Connects to a broker once, to publish. Its session is nobody's memory: it begins anew and ends with the connection,
 * for the lane knows what is not confirmed. A second connection with the client id ends this one (R9).
 *
 * @param signal drops the connection at any time, without DISCONNECT; the ending is then `ended`
 */
export async function connectToPublish(login: Login, signal: AbortSignal): Promise<PublishingAttempt> {
  const attempt = await logIn(login, { clean: true }, signal)
  if (attempt.is !== 'welcome') return attempt
  const { receiveMaximum, maximumQoS, retainAvailable, maximumPacketSize } = attempt.connack.properties ?? {}
  const publishing = new Publishing(attempt.wire, {
    receiveMaximum: receiveMaximum ?? 65_535,
    maximumQos: maximumQoS === 0 ? 0 : maximumQoS === 1 ? 1 : 2,
    retain: retainAvailable ?? true,
    maximumPacketSize: maximumPacketSize ?? Number.POSITIVE_INFINITY,
  })
  return { is: 'connected', publishing }
}
