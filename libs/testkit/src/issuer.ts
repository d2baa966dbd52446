/** Who issues tokens for OAUTHBEARER, as far as a test needs it: OAuth 2.0's token endpoint, on this machine. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** What it was asked. */
export interface TokenCall {
  readonly method: string
  /** The path, and what follows it. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly form: Readonly<Record<string, string>>
}

type Answer = (call: TokenCall) => { status?: number; body: string; location?: string }

/** An unsigned token (RFC 7519, 6) for a user that lasts so many seconds: what a Kafka without keys believes. */
export function issuedFor(user: string, seconds = 300): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: now + seconds })}.`
}

export class Issuer implements AsyncDisposable {
  /** In the order of coming. */
  readonly calls: TokenCall[] = []
  /** What it answers: a token that Kafka takes for five minutes, unless changed. */
  answer: Answer = () => ({ body: JSON.stringify({ access_token: issuedFor('client'), expires_in: 300 }) })
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => void this.#serve(request, response))
  }

  static async start(): Promise<Issuer> {
    const issuer = new Issuer(createServer())
    issuer.#server.listen(0, '127.0.0.1')
    await once(issuer.#server, 'listening')
    return issuer
  }

  /** `http://127.0.0.1:<port>` */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return `http://127.0.0.1:${address.port}`
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const call = { method, url, headers, form: Object.fromEntries(new URLSearchParams(await text(request))) }
    this.calls.push(call)
    const { status = 200, body, location } = this.answer(call)
    response.writeHead(status, { connection: 'close', ...(location !== undefined && { location }) }).end(body)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}
