import { KafkaError } from './errors.ts'

/** Says why a connection could not be opened, in words that tell the user what to look at. Never a secret. */
export function connectError(
  broker: string,
  settings: { sasl: { mechanism: string } | null; tls: object | null },
  cause: unknown,
): KafkaError {
  if (cause instanceof KafkaError && cause.code !== 'unknown_outcome') return cause
  const errors = causesOf(cause)
  const codes = errors.map(error => ('code' in error && typeof error.code === 'string' ? error.code : ''))
  if (settings.sasl !== null && errors.some(isRefusedLogin)) {
    const message = `${broker} refuses the credentials (SASL ${settings.sasl.mechanism}): check user, password and mechanism.`
    return new KafkaError('authentication', message, { cause })
  }
  if (codes.some(isTlsCode)) {
    const message = `TLS with ${broker} failed (${codes.find(isTlsCode)}): check caFile, the certificates' names and dates.`
    return new KafkaError('tls', message, { cause })
  }
  const reason = codes.find(code => code !== '') ?? errors.at(-1)?.message ?? String(cause)
  const hint = `check its address, and whether it expects ${settings.tls ? '' : 'TLS or '}${settings.sasl ? 'another' : 'a'} login`
  return new KafkaError('broker_unreachable', `${broker} can't be reached (${reason}): ${hint}.`, { cause })
}

function causesOf(error: unknown): Error[] {
  const errors: Error[] = []
  for (let next = error; next instanceof Error && !errors.includes(next); next = next.cause) errors.push(next)
  return errors
}

/** kafkajs calls it a refused login, too, when the connection is lost meanwhile. */
function isRefusedLogin(error: Error): boolean {
  if (/connection|timed out/i.test(error.message)) return false
  const type = 'type' in error ? error.type : undefined
  return (
    error.name === 'KafkaJSSASLAuthenticationError' ||
    type === 'SASL_AUTHENTICATION_FAILED' ||
    type === 'UNSUPPORTED_SASL_MECHANISM'
  )
}

/** Node's and OpenSSL's words for a certificate or handshake that one side does not accept. */
function isTlsCode(code: string): boolean {
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY|CRL|HOSTNAME/.test(code)
}
