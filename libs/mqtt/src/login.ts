import type { IConnackPacket, IConnectPacket } from 'mqtt-packet'
import type { ProtocolVersion } from './control-packets.ts'
import { type Ending, lost, refused } from './ending.ts'
import { ProtocolError } from './errors.ts'
import { type Endpoint, openSocket } from './socket.ts'
import { Wire } from './wire.ts'

/** Who connects, and where. */
export interface Login extends Endpoint {
  /** 5.0 unless said. */
  version?: ProtocolVersion | undefined
  /** Names the session. A second connection with it takes the session over from the first (R9). */
  clientId: string
  username?: string | undefined
  password?: string | undefined
  /** Of v5: the password is sent as the data of this Authentication Method, and no user name. */
  authenticationMethod?: string | undefined
  /** Seconds, at least 1; the broker may lower it. */
  keepAlive: number
}

/** A connection that the broker has let in, or why there is none. */
export type Welcome = { is: 'welcome'; wire: Wire; connack: IConnackPacket } | Ending

/** How long TCP, TLS and CONNACK may take together, in milliseconds. */
const connectTimeout = 10_000

const badAuthenticationMethod = 0x8c

/** The return codes of a CONNACK of 3.1.1, as MQTT 5.0 has them (MQTT 3.1.1, 3.2.2.3). */
const oldCodes = [0, 0x84, 0x85, 0x88, 0x86, 0x87]

/** What CONNECT says of the session. */
type SessionWishes = Pick<IConnectPacket, 'clean' | 'properties'>

/**
 * Connects to a broker once; one that does not know the authentication method, once more with user name and password
 * where there is a user name. Nothing behind CONNACK is read before `wire.resume`, so what a kept session brings at once
 * finds its receiver.
 *
 * @param signal drops the connection at any time, without DISCONNECT; the ending is then `ended`
 */
export async function logIn(login: Login, session: SessionWishes, signal: AbortSignal): Promise<Welcome> {
  const answer = await logInOnce(login, session, signal)
  const { authenticationMethod, ...byPassword } = login
  const isUnknown = answer.is === 'refused' && answer.reasonCode === badAuthenticationMethod
  if (!isUnknown || authenticationMethod === undefined || login.username === undefined) return answer
  return await logInOnce(byPassword, session, signal)
}

async function logInOnce(login: Login, session: SessionWishes, signal: AbortSignal): Promise<Welcome> {
  const broker = `${login.host}:${login.port}`
  const timeout = AbortSignal.timeout(connectTimeout)
  const either = AbortSignal.any([signal, timeout])
  const failed = (error: unknown): Ending => {
    if (signal.aborted) return { is: 'ended' }
    return lost(broker, timeout.aborted ? new Error('it did not answer in 10 s') : error)
  }
  try {
    const { version = 5 } = login
    const socket = await openSocket(login, either)
    const answer = Promise.withResolvers<IConnackPacket>()
    const wire = new Wire({ socket, broker, version }, frame => {
      wire.handle = () => false
      const packet = wire.read(frame)
      if (packet.cmd !== 'connack') throw new ProtocolError(0x82, `${packet.cmd.toUpperCase()} before CONNACK.`)
      if (packet.properties?.receiveMaximum === 0) throw new ProtocolError(0x82, 'A Receive Maximum of 0.')
      answer.resolve(packet)
      return true
    })
    wire.sendPacket(connectPacket(login, session))
    const drop = () => wire.close(failed(either.reason))
    const undo = dropWhen(either, drop)
    const result = await Promise.race([answer.promise, wire.closed])
    undo()
    if ('is' in result) return result
    void wire.closed.finally(dropWhen(signal, drop)).catch(() => {})
    return welcome(wire, result, login)
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

function connectPacket(login: Login, session: SessionWishes): IConnectPacket {
  const { clientId, keepAlive: keepalive, version = 5 } = login
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: version,
    clientId,
    keepalive,
    ...session,
    ...proofOf(login, session),
  }
}

/** Who connects, as CONNECT proves it. */
function proofOf({ username, password, authenticationMethod }: Login, { properties }: SessionWishes) {
  const secret = password === undefined ? undefined : Buffer.from(password)
  if (authenticationMethod !== undefined) {
    return { properties: { ...properties, authenticationMethod, ...(secret && { authenticationData: secret }) } }
  }
  return { ...(username !== undefined && { username }), ...(secret && { password: secret }) }
}

function welcome(wire: Wire, connack: IConnackPacket, { keepAlive }: Login): Welcome {
  const { reasonCode, returnCode = 0, properties = {} } = connack
  const code = reasonCode ?? oldCodes[returnCode] ?? 0x80
  if (code !== 0) {
    const ending = refused(wire.broker, code)
    wire.close(ending)
    return ending
  }
  wire.keepAlive(Math.min(keepAlive, properties.serverKeepAlive || keepAlive) * 1000)
  return { is: 'welcome', wire, connack }
}
