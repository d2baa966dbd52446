/** What must hold for an MQTT connection beyond the types of its fields. No message repeats a value: it may hold a secret. */
import { isHost } from './connection-rules.ts'
import { type Checked, tell } from './fields.ts'

/** `mqtt://host[:port]` or `mqtts://...` and nothing else in it; `ws://` and `wss://` with a path. */
export function checkMqttUrl(checked: Checked<string>): void {
  const url = URL.parse(checked.value)
  if (url === null || !/^(mqtts?|wss?):$/.test(url.protocol) || !isHost(url.hostname) || url.port === '0') {
    return tell(checked, 'expected mqtt://host:port, mqtts://, ws:// or wss://', { code: 'bad_url' })
  }
  if (url.username !== '' || url.password !== '') {
    const hint = 'name a secret in auth.password.secretName instead'
    return tell(checked, 'a URL carries no user name or password', { code: 'inline_secret', hint })
  }
  const hasPath = url.protocol.startsWith('mqtt') && !/^\/?$/.test(url.pathname)
  if (hasPath || url.search !== '' || url.hash !== '') {
    tell(checked, 'nothing may follow the host and port, but the path of a WebSocket', { code: 'bad_url' })
  }
}

/** A token comes from one place. */
export function checkMqttToken(checked: Checked<{ secretName?: unknown; file?: unknown }>): void {
  const { secretName, file } = checked.value
  if ((secretName === undefined) !== (file === undefined)) return
  tell(checked, 'exactly one of these must stand here: secretName, file', { code: 'exactly_one' })
}

interface Mqtt {
  url: string
  version: 5 | '3.1.1'
  auth?: { x509?: unknown; token?: { username?: unknown; authenticationMethod?: unknown } | undefined } | undefined
  tls?: unknown
}

/**
 * TLS options and certificates go with `mqtts:` and `wss:` alone; 3.1.1 sends no password without a user name, and has no
 * authentication methods.
 */
export function checkMqtt(checked: Checked<Mqtt>): void {
  const { url, version, auth, tls } = checked.value
  if (version === '3.1.1' && auth?.token !== undefined && auth.token.username === undefined) {
    const message = 'MQTT 3.1.1 sends no token without a user name'
    tell(checked, message, { code: 'no_username', hint: 'add username', path: ['auth', 'token'] })
  }
  if (version === '3.1.1' && auth?.token?.authenticationMethod !== undefined) {
    const path = ['auth', 'token', 'authenticationMethod']
    tell(checked, 'MQTT 3.1.1 has no authentication methods', { code: 'mqtt_version', path })
  }
  const [scheme] = /^(mqtt|ws):/.exec(url) ?? []
  if (scheme === undefined) return
  const hint = `write ${scheme.replace(':', 's://')} in the url`
  if (tls !== undefined)
    tell(checked, `TLS options have no effect on ${scheme}//`, { code: 'no_effect', hint, path: ['tls'] })
  if (auth?.x509 === undefined) return
  tell(checked, 'a certificate can be shown over TLS only', { code: 'no_effect', hint, path: ['auth', 'x509'] })
}
