import { connect, type ConnectOptions, type Ending, type Publish, type Session } from '../src/index.ts'

/** Options that a test changes one or two of. */
export function options(port: number, changed: Partial<ConnectOptions> = {}): ConnectOptions {
  const defaults = { host: '127.0.0.1', port, clientId: 'test', sessionExpiry: 600, receiveMaximum: 100, keepAlive: 30 }
  return { ...defaults, ...changed }
}

/** Connects, and throws where that fails. */
export async function connected(port: number, changed: Partial<ConnectOptions> = {}): Promise<Session> {
  const attempt = await connect(options(port, changed), new AbortController().signal)
  if (attempt.is !== 'connected') throw new Error(`not connected: ${JSON.stringify(attempt)}`)
  return attempt.session
}

/** Connects, and throws where that does not fail. */
export async function refusal(port: number, changed: Partial<ConnectOptions> = {}): Promise<Ending> {
  const attempt = await connect(options(port, changed), new AbortController().signal)
  if (attempt.is === 'connected') throw new Error('connected')
  return attempt
}

/** The payload as text, with `D` behind it where the packet is a duplicate. */
export function payloadOf(publish: Publish): string {
  const { bytes, payloadStart, payloadEnd, dup } = publish
  return bytes.toString('utf8', payloadStart, payloadEnd) + (dup ? 'D' : '')
}

/** Takes everything under the ordinals 1, 2, 3 ... and remembers the payloads. */
export class Receiver {
  readonly payloads: string[] = []
  /** Below this many: then everything is held. */
  room = Number.POSITIVE_INFINITY

  readonly receive = (publish: Publish): number | undefined => {
    if (this.payloads.length >= this.room) return undefined
    return this.payloads.push(payloadOf(publish))
  }
}
