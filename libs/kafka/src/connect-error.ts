import { tlsAdvice } from '@millrace/routes'
import type { Access } from './access.ts'
import { refusedToken } from './bearer-login.ts'
import { KafkaError } from './errors.ts'

/** Says why a connection could not be opened, in words that tell the user what to look at. Never a secret. */
export function connectError(broker: string, { tls, sasl }: Access, cause: unknown): KafkaError {
  if (cause instanceof KafkaError && cause.code !== 'unknown_outcome') return cause
  const errors = causesOf(cause)
  if (sasl !== null && errors.some(isRefusedLogin)) return refusedLogin(broker, sasl.mechanism, cause)
  const codes = errors.map(error => ('code' in error && typeof error.code === 'string' ? error.code : ''))
  for (const code of codes) {
    const advice = tlsAdvice(code)
    if (advice !== undefined) return new KafkaError('tls', `TLS with ${broker} failed (${code}): ${advice}.`, { cause })
  }
  const reason = codes.find(code => code !== '') ?? errors.at(-1)?.message ?? String(cause)
  const hint = `check its address, and whether it expects ${tls ? '' : 'TLS or '}${sasl ? 'another' : 'a'} login`
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
  return (
    error.name === 'KafkaJSSASLAuthenticationError' ||
    typeOf(error) === 'SASL_AUTHENTICATION_FAILED' ||
    isUnknownMechanism(error)
  )
}

const isUnknownMechanism = (error: Error): boolean => typeOf(error) === 'UNSUPPORTED_SASL_MECHANISM'

/** The name of a broker's error, in kafkajs. */
const typeOf = (error: Error): unknown => ('type' in error ? error.type : undefined)

function refusedLogin(broker: string, mechanism: string, cause: unknown): KafkaError {
  const name = mechanism.toUpperCase()
  const refused = (message: string) => new KafkaError('authentication', message, { cause })
  if (causesOf(cause).some(isUnknownMechanism)) {
    return refused(`${broker} does not offer SASL ${name}: write a mechanism in auth.sasl that it has.`)
  }
  if (mechanism === 'oauthbearer') return refusedToken(broker, cause)
  return refused(`${broker} refuses the credentials (SASL ${name}): check the user name and password in the secret.`)
}
