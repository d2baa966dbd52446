import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, freePort, noLeaks, type Proxy, startProxy } from '../src/index.ts'

noLeaks()

/** Sends back what it gets, and keeps it. */
let received = ''
const echo = createServer(socket => {
  socket.on('error', () => {})
  socket.on('data', bytes => {
    received += String(bytes)
    socket.write(bytes)
  })
})
let targetPort: number
beforeAll(async () => {
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const address = echo.address()
  targetPort = typeof address === 'object' && address !== null ? address.port : expect.fail('no port')
})
afterAll(() => {
  echo.close()
})

/** A connection through the proxy, and all that has come on it. */
class Client implements Disposable {
  readonly socket: Socket
  answers = ''
  end: string | undefined

  constructor(proxy: Proxy) {
    this.socket = connect(proxy.port, '127.0.0.1')
    this.socket.on('data', bytes => {
      this.answers += String(bytes)
    })
    this.socket.on('error', error => {
      this.end = 'code' in error ? String(error.code) : error.message
    })
    this.socket.on('close', () => {
      this.end ??= 'closed'
    })
  }

  /** Sends text and waits until it is back. */
  async echo(text: string): Promise<void> {
    const whole = this.answers + text
    this.socket.write(text)
    await eventually(() => this.answers === whole, { what: `${text} is back` })
  }

  async ended(): Promise<string | undefined> {
    return eventually(() => this.end, { what: 'the connection ends' })
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

test('bytes pass both ways, and an end too', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  await client.echo('x'.repeat(5_000_000))
  expect(proxy.connections).toBe(1)
  client.socket.end()
  expect(await client.ended()).toBe('closed')
  await eventually(() => proxy.connections === 0, { what: 'the proxy forgets the connection' })
})

test('cut resets every connection and lets new ones in', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  proxy.cut()
  expect(await client.ended()).toBe('ECONNRESET')
  using next = new Client(proxy)
  await next.echo('b')
})

test('refuse keeps what is there and refuses what is new, until accept', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  proxy.refuse()
  using refused = new Client(proxy)
  expect(await refused.ended()).toBe('ECONNREFUSED')
  await client.echo('b')
  await proxy.accept()
  using next = new Client(proxy)
  await next.echo('c')
})

test('frozen, nothing passes and nothing ends; thawed, all of it comes in order', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  received = ''
  proxy.freeze()
  client.socket.write('b')
  using late = new Client(proxy)
  await once(late.socket, 'connect')
  late.socket.write('z')
  // What goes straight to the server, sent later, is there and back before what is frozen has moved.
  await using straight = await startProxy(targetPort)
  using other = new Client(straight)
  await other.echo('first')
  expect(received).toBe('first')
  expect([client.answers, client.end, late.answers, late.end]).toEqual(['a', undefined, '', undefined])
  client.socket.write('c')
  proxy.thaw()
  await eventually(() => client.answers === 'abc' && late.answers === 'z', { what: 'all of it comes' })
})

test('delay holds every byte back, each way, and keeps their order', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  proxy.delay(50)
  const start = performance.now()
  await client.echo('b')
  expect(performance.now() - start).toBeGreaterThanOrEqual(98)
  client.socket.write('c')
  client.socket.once('drain', () => proxy.delay(0))
  client.socket.write('d'.repeat(1_000_000))
  await eventually(() => client.answers.length === 1_000_003, { what: 'all of it is back' })
  expect(client.answers).toMatch(/^abcd+$/)
})

test('dropAnswers: the server has done it, the client only sees its connection cut', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  received = ''
  proxy.dropAnswers()
  client.socket.write('b')
  expect(await client.ended()).toBe('ECONNRESET')
  expect([received, client.answers]).toEqual(['b', 'a'])
  using next = new Client(proxy)
  await next.echo('c')
})

test('what came right behind a lost answer was passed on, so that the stream had a hole', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  proxy.dropAnswers()
  client.socket.write('b'.repeat(2_000_000))
  await client.ended()
  expect(client.answers).toBe('a')
})

test('what was sent before an orderly end arrives', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  await client.echo('a')
  proxy.delay(20)
  received = ''
  client.socket.end('last words')
  await eventually(() => proxy.connections === 0, { what: 'the connection is over' })
  expect(received).toBe('last words')
})

test('onAnswer chooses which answer is lost', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  proxy.onAnswer(bytes => (bytes.includes('lose me') ? 'cut' : 'pass'))
  await client.echo('a')
  client.socket.write('lose me')
  expect(await client.ended()).toBe('ECONNRESET')
  expect(client.answers).toBe('a')
})

test('onRequest chooses which request never comes', async () => {
  await using proxy = await startProxy(targetPort)
  using client = new Client(proxy)
  const connections = new Set<object>()
  proxy.onRequest((bytes, connection) => {
    connections.add(connection)
    return bytes.includes('lose me') ? 'cut' : 'pass'
  })
  await client.echo('a')
  received = ''
  client.socket.write('lose me')
  expect(await client.ended()).toBe('ECONNRESET')
  using next = new Client(proxy)
  await next.echo('b')
  expect(received).toBe('b')
  expect(connections.size).toBe(2)
})

test('a target that is not there resets the client', async () => {
  await using proxy = await startProxy(await freePort())
  using client = new Client(proxy)
  expect(await client.ended()).toBe('ECONNRESET')
})
