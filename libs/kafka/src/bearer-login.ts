/**
 * SASL OAUTHBEARER (RFC 7628). kafkajs does not look at the broker's answer: a broker that refuses a token says so in
 * it, without an error code, and waits for one more message; what is asked next would be taken for that.
 */
import type { Mechanism } from 'kafkajs'
import { KafkaError } from './errors.ts'
import type { TokenSource } from './token-source.ts'

const end = '\u0001'
const lengthBytes = 4

/** Logs in with a token that is asked for anew each time, also when a session is renewed. */
export function bearerLogin(tokens: TokenSource): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ host, port, saslAuthenticate }) => ({
      async authenticate() {
        const message = `n,,${end}auth=Bearer ${await tokens.next()}${end}${end}`
        const answer = saslAuthenticate({
          request: { encode: () => withLength(Buffer.from(message)) },
          response: { decode: bytes => bytes.subarray(lengthBytes), parse: bytes => bytes },
        })
        const refusal = await answer.catch((error: unknown) => {
          tokens.forget()
          throw error
        })
        if (!(refusal instanceof Buffer) || refusal.length === 0) return
        tokens.forget()
        throw refusedToken(`${host}:${port}`)
      },
    }),
  }
}

/** The broker does not want the token. */
export function refusedToken(broker: string, cause?: unknown): KafkaError {
  const advice = 'check its scope and audience, whom it is for, and that it has not expired'
  return new KafkaError('authentication', `${broker} refuses the token (SASL OAUTHBEARER): ${advice}.`, { cause })
}

/** kafkajs wants what a mechanism sends with its length in front, and gives what comes so. */
function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
