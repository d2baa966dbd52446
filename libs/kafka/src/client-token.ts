import type { ClientSasl, Credentials } from '@millrace/routes'
import { askIssuer, type Token } from './token-source.ts'

/** A token for a client with an id and a secret of its own (RFC 6749, 4.4). Rejects with KafkaError `no_token`. */
export async function clientToken(sasl: ClientSasl, { clientId = '', clientSecret = '' }: Credentials): Promise<Token> {
  const { tokenEndpoint, scope, audience, secretName } = sasl
  return await askIssuer({
    url: tokenEndpoint,
    form: { grant_type: 'client_credentials', scope, ...(audience !== undefined && { audience }) },
    headers: { authorization: `Basic ${btoa(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}` },
    hint: `check the token endpoint, its scope and audience, and client_id and client_secret of secret ${secretName}`,
  })
}

/** RFC 6749, 2.3.1: encoded first, so that neither has a colon. */
const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
