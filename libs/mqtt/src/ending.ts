import type { Problem } from '@millrace/lane'
import { tlsAdvice } from '@millrace/routes'
import type { ProtocolError } from './errors.ts'
import { describeReason, reasonCode } from './reason-codes.ts'

/**
 * How a connection to a broker ended, or why there is none.
 * - `ended`: by us, or aborted.
 * - `lost`: the network, the broker or TLS failed; may pass later. `hungUp`: an open connection was closed from there,
 *   and nobody said why.
 * - `refused`: the broker said no, with a reason code.
 * - `takenOver`: another connection with this client id has the session now; who owns the lane must be asked before
 *   connecting again (R11).
 * - `protocol`: the broker sent what MQTT does not allow, and was told so.
 */
export type Ending =
  | { is: 'ended' }
  | Lost
  | { is: 'refused'; problem: Problem; mayPassLater: boolean; reasonCode: number }
  | { is: 'takenOver'; problem: Problem }
  | { is: 'protocol'; problem: Problem }

type Lost = { is: 'lost'; problem: Problem; hungUp?: boolean }

const takenOver = 0x8e
/** How a connection that was closed with bytes unread fails. */
const hangUps = ['ECONNRESET', 'EPIPE']

/** The network, or TLS, failed: `error` is Node's. */
export function lost(broker: string, error: unknown): Lost {
  const systemCode = codeOf(error)
  // An AggregateError, of all addresses of a name, has no message of its own.
  const detail = (error instanceof Error && error.message) || systemCode || String(error)
  const advice = tlsAdvice(systemCode)
  if (advice === undefined)
    return lostBy('broker_unreachable', `No connection to the MQTT broker ${broker}: ${detail}.`)
  return lostBy('tls_failed', `TLS with the MQTT broker ${broker} failed (${systemCode}): ${advice}.`)
}

/** An open connection was closed from the other end, or failed with Node's `error`. */
export function broken(broker: string, error?: Error): Ending {
  const hungUp = error === undefined || hangUps.includes(codeOf(error))
  return { ...lost(broker, error ?? new Error('the broker closed the connection')), hungUp }
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

const lostBy = (code: string, message: string): Lost => ({ is: 'lost', problem: { code, message } })

/** The broker's CONNACK said no. */
export function refused(broker: string, code: number): Ending {
  const { mayPassLater } = reasonCode(code)
  const hint = mayPassLater ? 'It will be tried again.' : 'Look at the connection, and at who the broker lets in.'
  const message = `The MQTT broker ${broker} refused the connection: ${describeReason(code)}. ${hint}`
  return { is: 'refused', problem: { code: 'broker_refused', message }, mayPassLater, reasonCode: code }
}

/** The broker's DISCONNECT. */
export function disconnected(broker: string, code: number): Ending {
  const problem = {
    code: 'broker_disconnected',
    message: `The MQTT broker ${broker} ended the connection: ${describeReason(code)}.`,
  }
  if (code === takenOver) return { is: 'takenOver', problem }
  const { mayPassLater } = reasonCode(code)
  return mayPassLater ? { is: 'lost', problem } : { is: 'refused', problem, mayPassLater, reasonCode: code }
}

/** The broker broke the protocol. */
export function brokeProtocol(broker: string, error: ProtocolError): Ending {
  const message = `The MQTT broker ${broker} sent what MQTT does not allow: ${error.message}`
  return { is: 'protocol', problem: { code: 'protocol_error', message } }
}
