import { describeReason } from './reason-codes.ts'

/**
 * The broker sent what MQTT does not allow. The connection is closed with DISCONNECT and this reason code
 * (MQTT 5.0, 4.13); a new one may follow.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly reasonCode: number

  constructor(reasonCode: number, message: string, options?: ErrorOptions) {
    super(`${describeReason(reasonCode)}: ${message}`, options)
    this.reasonCode = reasonCode
  }
}

/** The connection ended before the broker answered; `Session.closed` says why it ended. */
export class SessionClosedError extends Error {
  override readonly name = 'SessionClosedError'

  constructor() {
    super('The connection to the MQTT broker ended before it answered.')
  }
}
