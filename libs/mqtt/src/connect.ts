import type { IConnackPacket } from 'mqtt-packet'
import { decodeControlPacket, encodeControlPacket } from './control-packets.ts'
import { type Ending, lost, refused } from './ending.ts'
import { ProtocolError } from './errors.ts'
import type { Frame } from './framer.ts'
import { Session } from './session.ts'
import { type Endpoint, openSocket } from './socket.ts'
import { Wire } from './wire.ts'

/** Who connects, and to what session. */
export interface ConnectOptions extends Endpoint {
  /** Names the session. A second connection with it takes the session over from the first (R9). */
  clientId: string
  username?: string | undefined
  password?: string | undefined
  /** How long the broker keeps the session without a connection, in seconds; 4,294,967,295 is for ever. */
  sessionExpiry: number
  /** How many PUBLISHes of QoS 1 and 2 may be unacknowledged: 1 to 65,535. What comes beyond is held (R8). */
  receiveMaximum: number
  /** Seconds, at least 1; the broker may lower it. */
  keepAlive: number
}

/** A session that is connected, or why there is none. */
export type Attempt = { is: 'connected'; session: Session } | Ending

/** How long TCP, TLS and CONNACK may take together, in milliseconds. */
const connectTimeout = 10_000

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
  const broker = `${options.host}:${options.port}`
  const timeout = AbortSignal.timeout(connectTimeout)
  const either = AbortSignal.any([signal, timeout])
  const failed = (error: unknown): Ending => {
    if (signal.aborted) return { is: 'ended' }
    return lost(broker, timeout.aborted ? new Error('it did not answer in 10 s') : error)
  }
  try {
    const socket = await openSocket(options, either)
    const answer = Promise.withResolvers<IConnackPacket>()
    const wire = new Wire(socket, broker, frame => {
      wire.handle = () => false
      answer.resolve(readConnack(frame))
      return true
    })
    wire.send(encodeConnect(options))
    const drop = () => wire.close(failed(either.reason))
    const undo = dropWhen(either, drop)
    const result = await Promise.race([answer.promise, wire.closed])
    undo()
    if ('is' in result) return result
    void wire.closed.finally(dropWhen(signal, drop)).catch(() => {})
    return accept(wire, result, options)
  } catch (error) {
    return failed(error)
  }
}

/** Calls `drop` when the signal aborts, also where it has already; returns what undoes that. */
function dropWhen(signal: AbortSignal, drop: () => void): () => void {
  if (signal.aborted) drop()
  signal.addEventListener('abort', drop)
  return () => signal.removeEventListener('abort', drop)
}

function encodeConnect(options: ConnectOptions): Buffer {
  const { clientId, username, password, keepAlive: keepalive, sessionExpiry, receiveMaximum } = options
  return encodeControlPacket({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 5,
    clean: false,
    clientId,
    keepalive,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    properties: { sessionExpiryInterval: sessionExpiry, receiveMaximum },
  })
}

function readConnack(frame: Frame): IConnackPacket {
  const packet = decodeControlPacket(frame.bytes.subarray(frame.packetStart, frame.end))
  if (packet.cmd !== 'connack') throw new ProtocolError(0x82, `${packet.cmd.toUpperCase()} before CONNACK.`)
  if (packet.properties?.receiveMaximum === 0) throw new ProtocolError(0x82, 'A Receive Maximum of 0.')
  return packet
}

function accept(wire: Wire, connack: IConnackPacket, options: ConnectOptions): Attempt {
  const { reasonCode = 0, sessionPresent, properties = {} } = connack
  if (reasonCode !== 0) {
    const ending = refused(`${options.host}:${options.port}`, reasonCode)
    wire.close(ending)
    return ending
  }
  wire.keepAlive(Math.min(options.keepAlive, properties.serverKeepAlive || options.keepAlive) * 1000)
  const sessionExpiry = properties.sessionExpiryInterval ?? options.sessionExpiry
  return {
    is: 'connected',
    session: new Session(wire, { sessionPresent, sessionExpiry, receiveMaximum: options.receiveMaximum }),
  }
}
