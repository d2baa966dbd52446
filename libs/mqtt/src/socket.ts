import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'

/** Where a broker is and what TLS to speak. PEM texts are contents, not names of files. */
export interface Endpoint {
  host: string
  port: number
  /** Absent: in clear. */
  tls?: TlsOptions | undefined
  /** The path of a WebSocket, such as `/mqtt` (MQTT 5.0, 6); absent or null: plain TCP, or TLS. */
  webSocket?: string | null | undefined
}

/** What a connection over TLS is made with; texts are PEM. */
export interface TlsOptions {
  /** Trusted authorities; the system's where absent. */
  ca?: string | undefined
  /** The client's certificate and its key. */
  cert?: string | undefined
  key?: string | undefined
  /** The name that the broker's certificate must bear; the host where absent. */
  servername?: string | undefined
  /** Always true, unless a user has said twice that any certificate will do. */
  verify: boolean
}

/** Opens a connection. Rejects with Node's error, or AbortError; nothing is left open then. */
export async function openSocket(endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
  const { host, port, tls, webSocket } = endpoint
  if (typeof webSocket === 'string') return openWebSocket(endpoint, webSocket, signal)
  const socket = tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...secure(host, tls) })
  await opened(socket, tls === undefined ? 'connect' : 'secureConnect', signal)
  // An acknowledgement must not wait for the one before it to be confirmed.
  return socket.setNoDelay(true)
}

async function openWebSocket({ host, port, tls }: Endpoint, path: string, signal: AbortSignal): Promise<Duplex> {
  const authority = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
  const socket = new WebSocket(`${tls === undefined ? 'ws' : 'wss'}://${authority}${path}`, 'mqtt', {
    perMessageDeflate: false,
    ...(tls && secure(host, tls)),
  })
  await opened(socket, 'open', signal)
  return createWebSocketStream(socket)
}

/** Waits until it is open; else gives it up. */
async function opened(socket: Socket | WebSocket, event: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, event, { signal })
  } catch (error) {
    // A socket that is being given up may still complain, and there is nobody left to hear it.
    socket.on('error', () => {})
    if (socket instanceof WebSocket) socket.terminate()
    else socket.destroy()
    throw error
  }
}

function secure(host: string, tls: TlsOptions): ConnectionOptions {
  const { ca, cert, key, verify } = tls
  // Server Name Indication carries names only (RFC 6066, 3).
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '')
  // Said outright, because NODE_TLS_REJECT_UNAUTHORIZED would turn it off for the whole process.
  return { ca, cert, key, servername, rejectUnauthorized: verify }
}
