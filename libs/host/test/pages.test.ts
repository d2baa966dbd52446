import { once } from 'node:events'
import { connect } from 'node:net'
import { noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { type Pages, servePages } from '../src/pages.ts'

noLeaks()

const serve = (pages: Partial<Pages> = {}) =>
  servePages({ notReady: () => undefined, metrics: () => 'up 1\n', ...pages }, { host: '127.0.0.1', port: 0 })

/** What the server answers to these bytes until it closes the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let answer = ''
  socket.on('data', chunk => (answer += String(chunk)))
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

test('alive, ready or why not, and the metrics', async () => {
  let why: string | undefined = 'no connection to NATS'
  await using pages = await serve({ notReady: () => why })
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${pages.port}${path}`, { method })
  expect((await get('/livez')).status).toBe(200)
  const unready = await get('/readyz')
  expect([unready.status, await unready.text()]).toEqual([503, 'no connection to NATS\n'])
  why = undefined
  expect((await get('/readyz?verbose')).status).toBe(200)
  const metrics = await get('/metrics')
  expect([await metrics.text(), metrics.headers.get('content-type')]).toEqual([
    'up 1\n',
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  expect(await (await get('/metrics', 'HEAD')).text()).toBe('')
})

test('other paths and methods are refused', async () => {
  await using pages = await serve()
  const url = `http://127.0.0.1:${pages.port}`
  const statusOf = async (path: string) => (await fetch(url + path)).status
  const paths = ['/', '/metrics/', '/../livez/..', '/%2e%2e/etc/passwd', '//livez']
  expect(await Promise.all(paths.map(statusOf))).toEqual(paths.map(() => 404))
  // A body that is still being sent when the answer comes may cost the client the answer.
  expect(await raw(pages.port, 'POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nxxx')).toMatch(
    /^HTTP\/1.1 405 [^]*\r\nAllow: GET, HEAD\r\n/,
  )
  expect((await fetch(`${url}/livez`)).status).toBe(200)
})

test('what is no HTTP, too large, or never finished ends its own connection and nothing else', async () => {
  await using pages = await serve()
  expect(await raw(pages.port, '\0\x16\x03\x01 nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  expect(await raw(pages.port, `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 4/,
  )
  expect(
    await raw(pages.port, 'GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n'),
  ).toMatch(/^HTTP\/1.1 400 /)
  const begun = performance.now()
  await raw(pages.port, 'GET /livez HTTP/1.1\r\nHost: a\r\nX: ')
  expect(performance.now() - begun).toBeLessThan(10_000)
  expect((await fetch(`http://127.0.0.1:${pages.port}/livez`)).status).toBe(200)
})

test('closing does not wait for connections that are kept open', async () => {
  const pages = await serve()
  const socket = connect(pages.port, '127.0.0.1')
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  await pages[Symbol.asyncDispose]()
  await closed
  expect(socket.destroyed).toBe(true)
})

test('an address that is taken is an error', async () => {
  await using pages = await serve()
  await expect(
    servePages({ notReady: () => undefined, metrics: () => '' }, { host: '127.0.0.1', port: pages.port }),
  ).rejects.toThrow('EADDRINUSE')
})
