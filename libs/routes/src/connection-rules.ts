/** What must hold for a connection beyond the types of its fields. No message repeats a value: it may hold a secret. */
import { type Checked, tell } from './fields.ts'

/** `mqtt://host[:port]` or `mqtts://...`, and nothing else in it. */
export function checkMqttUrl(checked: Checked<string>): void {
  const url = URL.parse(checked.value)
  if (url === null || !/^mqtts?:$/.test(url.protocol) || !isHost(url.hostname) || url.port === '0') {
    return tell(checked, 'expected mqtt://host:port or mqtts://host:port', { code: 'bad_url' })
  }
  if (url.username !== '' || url.password !== '') {
    const hint = 'name a secret in auth.password.secretName instead'
    return tell(checked, 'a URL carries no user name or password', { code: 'inline_secret', hint })
  }
  if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
    tell(checked, 'nothing may follow the host and port', { code: 'bad_url' })
  }
}

/** `host:port`. */
export function checkBroker(checked: Checked<string>): void {
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(checked.value) ?? []
  if (host !== undefined && isHost(host) && Number(port) >= 1 && Number(port) <= 65_535) return
  tell(checked, 'expected host:port, such as kafka-1.example:9092', { code: 'bad_address' })
}

/** Certificates are checked, unless the user says twice that they are not. */
export function insecureTls(
  checked: Checked<{ verify: boolean; insecure: boolean; caFile?: unknown; caSecretName?: unknown }>,
): void {
  const { verify, insecure, caFile, caSecretName } = checked.value
  if (!verify && !insecure) {
    const hint = 'trust an authority of your own with caFile, or add insecure: true'
    tell(checked, 'verify: false lets anybody pose as the server', { code: 'insecure', hint, path: ['verify'] })
  }
  if (verify && insecure) {
    tell(checked, 'insecure: true says nothing without verify: false', { code: 'no_effect', path: ['insecure'] })
  }
  if (caFile !== undefined && caSecretName !== undefined) {
    tell(checked, 'only one of caFile and caSecretName can be used', { code: 'exactly_one', path: ['caSecretName'] })
  }
}

interface Mqtt {
  url: string
  auth?: { x509?: unknown } | undefined
  tls?: unknown
}

/** TLS options and certificates go with `mqtts:` alone. */
export function tlsNeedsMqtts(checked: Checked<Mqtt>): void {
  const { url, auth, tls } = checked.value
  if (!url.startsWith('mqtt:')) return
  const hint = 'write mqtts:// in the url'
  if (tls !== undefined)
    tell(checked, 'TLS options have no effect on mqtt://', { code: 'no_effect', hint, path: ['tls'] })
  if (auth?.x509 === undefined) return
  tell(checked, 'a certificate can be shown over TLS only', { code: 'no_effect', hint, path: ['auth', 'x509'] })
}

interface Kafka {
  brokers: string[]
  tls?: unknown
  auth?: { sasl?: { mechanism: string } | undefined; x509?: unknown } | undefined
}

/** A password never crosses a network in clear; a certificate needs TLS. */
export function insecureAuth(checked: Checked<Kafka>): void {
  const { brokers, tls, auth } = checked.value
  if (tls !== undefined) return
  const hint = 'add tls: {}'
  if (auth?.x509 !== undefined) {
    tell(checked, 'a certificate can be shown over TLS only', { code: 'no_effect', hint, path: ['auth', 'x509'] })
  }
  if (
    auth?.sasl?.mechanism !== 'plain' ||
    brokers.every(broker => isLoopback(broker.slice(0, broker.lastIndexOf(':'))))
  )
    return
  tell(checked, 'SASL plain without TLS sends the password in clear', {
    code: 'insecure',
    hint,
    path: ['auth', 'sasl'],
  })
}

/** Whether a host name or address is this machine itself. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host)

const isHost = (host: string): boolean =>
  /^\[[0-9a-fA-F:.]{2,45}\]$/.test(host) || /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(host)
