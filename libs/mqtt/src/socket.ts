import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Where a broker is and what TLS to speak. PEM texts are contents, not names of files. */
export interface Endpoint {
  host: string
  port: number
  /** Absent: in clear. */
  tls?: TlsOptions | undefined
}

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
export async function openSocket({ host, port, tls }: Endpoint, signal: AbortSignal): Promise<Socket> {
  const socket = tls === undefined ? connectTcp({ host, port }) : secureSocket(host, port, tls)
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect', { signal })
  } catch (error) {
    // A socket that is being destroyed may still complain, and there is nobody left to hear it.
    socket.on('error', () => {})
    socket.destroy()
    throw error
  }
  // An acknowledgement must not wait for the one before it to be confirmed.
  return socket.setNoDelay(true)
}

function secureSocket(host: string, port: number, tls: TlsOptions): Socket {
  const { ca, cert, key, verify } = tls
  // Server Name Indication carries names only (RFC 6066, 3).
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '')
  // Said outright, because NODE_TLS_REJECT_UNAUTHORIZED would turn it off for the whole process.
  return connectTls({ host, port, ca, cert, key, servername, rejectUnauthorized: verify })
}
