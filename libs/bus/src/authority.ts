/** TLS to NATS: whom to trust, and which names to expect. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'

/** What is wrong with a file that should hold CA certificates (PEM), as a sentence; undefined where nothing is. */
export function authorityProblem(file: string): string | undefined {
  let text: Buffer
  try {
    text = readFileSync(file)
  } catch (cause) {
    return `can't be read: ${cause instanceof Error ? cause.message : String(cause)}`
  }
  try {
    void new X509Certificate(text)
    return undefined
  } catch {
    return `${file} holds no certificate in PEM`
  }
}

/**
 * The client's TLS options, or undefined where neither a `tls://` URL nor CA certificates ask for TLS: then what the
 * server wants is done. Where they do, a server without TLS is never told a password. The file is read at each connect.
 */
export function tlsOptions(servers: readonly string[], caFile: string | undefined) {
  if (caFile === undefined && !servers.some(server => server.startsWith('tls://'))) return undefined
  const hosts = servers.map(server => new URL(server).hostname.replace(/^\[|\]$/g, ''))
  return { ...(caFile !== undefined && { caFile }), checkServerIdentity: oneOf(hosts) }
}

/**
 * The certificate must be for one of the hosts that we were given. The client leaves this to Node, which compares with
 * `localhost` where the host is an IP address; and the servers that a cluster tells of are known by address only.
 */
function oneOf(hosts: readonly string[]) {
  return (_name: string, certificate: PeerCertificate): Error | undefined => {
    const problems = hosts.map(host => checkServerIdentity(host, certificate))
    return problems.includes(undefined) ? undefined : problems[0]
  }
}
