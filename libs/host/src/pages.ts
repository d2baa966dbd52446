/**
 * The pages of a process: `/livez` (the event loop turns), `/readyz` (it can do its work) and `/metrics`.
 * Made for probes and scrapers on a network that is not hostile, and safe to meet one that is: nothing of a request is
 * used but its method and path, everything is bounded in time and size, and no request has a body that is read.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { expositionType } from '@millrace/telemetry'

/** What the pages show. */
export interface Pages {
  /** Why the process is not ready, or undefined when it is. */
  notReady(): string | undefined
  /** The text of `/metrics`. */
  metrics(): string
}

/** A server that listens. */
export interface PagesServer extends AsyncDisposable {
  readonly port: number
}

/** Opens the pages. Rejects with Node's error where the address can't be had. */
export async function servePages(pages: Pages, at: { host: string; port: number }): Promise<PagesServer> {
  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => answer(pages, request, response),
  )
  server.maxConnections = 64
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    else socket.destroy()
  })
  server.listen(at.port, at.host)
  await once(server, 'listening')
  return { port: portOf(server), [Symbol.asyncDispose]: () => close(server) }
}

function answer(pages: Pages, request: IncomingMessage, response: ServerResponse): void {
  const { status, type, text } = pageOf(pages, request)
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 405 && { Allow: 'GET, HEAD' }),
    // A request with a body is not read to its end.
    ...(status === 405 && { Connection: 'close' }),
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

function pageOf(pages: Pages, request: IncomingMessage): { status: number; type: string; text: string } {
  const type = 'text/plain; charset=utf-8'
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, type, text: 'method not allowed\n' }
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  switch (path) {
    case '/livez':
      return { status: 200, type, text: 'ok\n' }
    case '/readyz': {
      const why = pages.notReady()
      return why === undefined ? { status: 200, type, text: 'ok\n' } : { status: 503, type, text: `${why}\n` }
    }
    case '/metrics':
      return { status: 200, type: expositionType, text: pages.metrics() }
    default:
      return { status: 404, type, text: 'not found: /livez /readyz /metrics\n' }
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
