import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { openLog, Redactor } from '../src/index.ts'

const open = (stream: PassThrough, redactor = new Redactor()) =>
  openLog({ level: 'info', base: { service: 'kafka-egress', instance: 'one' }, redactor, stream })

test('a line is JSON with its level, its time, and whose it is', () => {
  const stream = new PassThrough()
  open(stream)
    .logger.child({ route: 'r', lane: '0' })
    .warn({ err: new Error('down') }, 'lane failed')
  expect(JSON.parse(String(stream.read()))).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    service: 'kafka-egress',
    instance: 'one',
    route: 'r',
    lane: '0',
    err: expect.objectContaining({ type: 'Error', message: 'down' }),
    msg: 'lane failed',
  })
})

test('a secret is not printed: not as it is, nor escaped, nor in a URL, nor in an error', () => {
  const stream = new PassThrough()
  const redactor = new Redactor()
  const { logger } = open(stream, redactor)
  const secret = 'p"ss\n wörd/1'
  redactor.add(secret)
  redactor.add('hunter22')
  logger.info(
    { secret, url: `nats://me:${encodeURIComponent(secret)}@host`, err: new Error(`no ${secret}`) },
    'is hunter22',
  )
  const line = String(stream.read())
  expect(JSON.parse(line)).toMatchObject({
    secret: '[redacted]',
    url: 'nats://me:[redacted]@host',
    msg: 'is [redacted]',
  })
  for (const part of ['wörd', 'w%C3%B6rd', 'hunter22']) expect(line).not.toContain(part)
})

test('a value too short for a secret is left alone', () => {
  const redactor = new Redactor()
  redactor.add('a')
  redactor.add('')
  expect(redactor.clean('banana')).toBe('banana')
})

test('of a secret that begins with another one, nothing stays', () => {
  const redactor = new Redactor()
  redactor.add('hunter22')
  redactor.add('hunter22-and-more')
  expect(redactor.clean('hunter22, hunter22-and-more')).toBe('[redacted], [redacted]')
})

test('tokens that pass are remembered up to a number; those that are used again, and secrets that last, longer', () => {
  const redactor = new Redactor()
  redactor.add('lasting')
  for (const name of ['first', 'used-again']) redactor.addPassing(name)
  for (let token = 0; token < 999; token++) {
    redactor.addPassing(`token-${token}.`)
    if (token === 500) redactor.addPassing('used-again')
  }
  expect(redactor.clean('lasting first used-again token-0. token-998.')).toBe(
    '[redacted] first [redacted] [redacted] [redacted]',
  )
})

test('an output that is not read costs lines, which are counted and told', async () => {
  const stream = new PassThrough()
  const log = open(stream)
  const text = 'x'.repeat(1000)
  for (let i = 0; i < 3000; i++) log.logger.info(text)
  expect(log.dropped).toBeGreaterThan(1000)
  expect(stream.writableLength + stream.readableLength).toBeLessThan(1.2e6)
  stream.resume()
  await log.flush(1000)
  const lines: string[] = []
  stream.on('data', chunk => lines.push(String(chunk)))
  log.logger.info('again')
  await log.flush(1000)
  expect(lines.join('')).toContain(`"lines":${log.dropped}`)
})

test('a process whose output nobody reads runs on, and exits', async () => {
  const script = `
    import { openLog, Redactor } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    const log = openLog({ level: 'info', base: {}, redactor: new Redactor(), stream: process.stdout })
    const begun = performance.now()
    for (let i = 0; i < 10_000; i++) log.logger.info('x'.repeat(1000))
    const took = performance.now() - begun
    await log.flush(200)
    process.exit(took < 5000 && log.dropped > 0 ? 0 : 1)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [code] = await once(child, 'exit')
  child.stdout.destroy()
  expect(code).toBe(0)
})

test('an output that has gone away does not end the process', async () => {
  const stream = new PassThrough()
  const log = open(stream)
  stream.destroy(new Error('EPIPE'))
  await new Promise(resolve => stream.once('close', resolve))
  log.logger.info('nobody hears')
  await log.flush(50)
  expect(log.dropped).toBe(1)
})
