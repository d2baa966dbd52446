import { KafkaError } from './errors.ts'

/** What OAUTHBEARER logs in with. */
export interface Token {
  value: string
  /** Milliseconds that it is good for, from when it was asked for. */
  lifetime: number
}

/** Where the tokens for logins come from. */
export interface TokenSource {
  /** A token for a login that begins now. Rejects with KafkaError. */
  next(): Promise<string>
  /** The broker does not want the last one: it is not used again. */
  forget(): void
}

/** A token is not used for a new login in its last fifth, nor in its last 30 s: a session lasts as long as its token. */
const leastLeft = 30_000

/**
 * Asks for a token when there is none, or the last one is near its end; everybody who waits gets the same. One that
 * lives shortly is asked for anew each time. Each is told to `conceal` before anybody has it.
 */
export function remembering(ask: () => Promise<Token>, conceal: (secret: string) => void): TokenSource {
  let value = ''
  let goodUntil = Number.NEGATIVE_INFINITY
  let asking: Promise<string> | undefined
  const renew = async () => {
    const askedAt = performance.now()
    const token = await ask()
    conceal(token.value)
    goodUntil = askedAt + token.lifetime - Math.max(leastLeft, token.lifetime / 5)
    value = token.value
    return value
  }
  return {
    async next() {
      if (performance.now() < goodUntil) return value
      asking ??= renew().finally(() => {
        asking = undefined
      })
      return await asking
    },
    forget() {
      goodUntil = Number.NEGATIVE_INFINITY
    },
  }
}

/** How to ask an issuer. */
export interface TokenRequest {
  url: string
  /** Sent by POST; absent: GET. */
  form?: { readonly [field: string]: string }
  headers?: { readonly [name: string]: string }
  /** What a user looks at when the issuer refuses. */
  hint: string
}

/** Less than a whole connection may take, so that it is told who did not answer. */
const patience = 5_000

/** Asks an issuer for a token, as OAuth 2.0 has it (RFC 6749, 5). Rejects with KafkaError `no_token`; no message has a secret. */
export async function askIssuer({ url, form, headers = {}, hint }: TokenRequest): Promise<Token> {
  const { origin, pathname } = new URL(url)
  const failed = (reason: string, cause?: unknown): KafkaError =>
    new KafkaError('no_token', `No token from ${origin}${pathname} (${reason}): ${hint}.`, { cause })
  const request: RequestInit = {
    headers: { accept: 'application/json', ...headers },
    ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    // What is sent is for nobody else.
    redirect: 'error',
    signal: AbortSignal.timeout(patience),
  }
  const answer = await fetch(url, request).catch((cause: unknown) => {
    throw failed(unreachable(cause), cause)
  })
  const said: unknown = await answer.json().catch(() => undefined)
  const { access_token: value, expires_in: seconds, error } = isObject(said) ? said : {}
  if (!answer.ok) throw failed(isErrorCode(error) ? error : `HTTP ${answer.status}`)
  if (typeof value !== 'string' || !isToken(value)) throw failed('its answer has no token')
  // Some issuers write the number as text.
  const lifetime = Number(seconds) * 1000
  return { value, lifetime: lifetime > 0 ? lifetime : 0 }
}

/** What may stand in OAUTHBEARER's message (RFC 6750, 2.1): nothing that ends it before its end. */
export const isToken = (text: string): boolean => /^[A-Za-z0-9._~+/-]+=*$/.test(text)

/** OAuth's own error codes are such words; anything else an issuer says might repeat what it was sent. */
const isErrorCode = (error: unknown): error is string => typeof error === 'string' && /^[a-z_]{1,40}$/.test(error)

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null
}

function unreachable(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in 5 s'
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'not reached'
}
