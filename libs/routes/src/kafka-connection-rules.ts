/** What must hold for a Kafka connection beyond the types of its fields. No message repeats a value: it may hold a secret. */
import { isHost, isLoopback } from './connection-rules.ts'
import { type Checked, tell } from './fields.ts'

/** `host:port`. */
export const checkBroker = (checked: Checked<string>): void => checkAddress(checked, 'kafka-1.example:9092')

/** `host:port`, with an example of one. */
export function checkAddress(checked: Checked<string>, example: string): void {
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(checked.value) ?? []
  if (host !== undefined && isHost(host) && Number(port) >= 1 && Number(port) <= 65_535) return
  tell(checked, `expected host:port, such as ${example}`, { code: 'bad_address' })
}

/** Where a client's secret is sent: only over TLS, or to this machine. */
export function checkTokenEndpoint(checked: Checked<string>): void {
  const url = URL.parse(checked.value)
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    url.hash !== ''
  ) {
    return tell(checked, 'expected https://host/path', { code: 'bad_url' })
  }
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return
  tell(checked, 'http:// sends the client secret in clear', { code: 'insecure', hint: 'write https://' })
}

/** What of a connection says whether a secret would cross a network in clear. */
export interface KafkaLogin {
  brokers: string[]
  tls?: unknown
  auth?: { sasl?: { mechanism: string } | undefined; x509?: unknown; managedIdentity?: unknown } | undefined
}

/** A password or a token never crosses a network in clear; a certificate needs TLS. */
export function checkKafkaAuth(checked: Checked<KafkaLogin>): void {
  const { brokers, tls, auth } = checked.value
  if (tls !== undefined) return
  const hint = 'add tls: {}'
  if (auth?.x509 !== undefined) {
    tell(checked, 'a certificate can be shown over TLS only', { code: 'no_effect', hint, path: ['auth', 'x509'] })
  }
  const byIdentity = auth?.managedIdentity !== undefined
  const mechanism = byIdentity ? 'oauthbearer' : auth?.sasl?.mechanism
  const sent = mechanism === 'plain' ? 'password' : mechanism === 'oauthbearer' ? 'token' : undefined
  if (sent === undefined || brokers.every(isOnThisMachine)) return
  const message = `SASL ${mechanism} without TLS sends the ${sent} in clear`
  tell(checked, message, { code: 'insecure', hint, path: ['auth', byIdentity ? 'managedIdentity' : 'sasl'] })
}

/** Whether a `host:port` is this machine itself. */
export const isOnThisMachine = (broker: string): boolean => isLoopback(broker.slice(0, broker.lastIndexOf(':')))
