/** The command line against a coordinator that runs as it does for users: its own process, its own NATS user. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { natsUserNames, natsUsers } from '@millrace/bus'
import { eventually, freePort, type NatsServer, startNats } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examples, millrace } from './spawn.ts'

const password = (user: string) => `pw-of-${user}`
const telemetry = join(examples, 'telemetry')

let nats: NatsServer
let coordinator: ChildProcess

beforeAll(async () => {
  const passwords = natsUserNames.map(user => [user, password(user)] as const)
  nats = await startNats({ users: natsUsers(Object.fromEntries(passwords) as Parameters<typeof natsUsers>[0]) })
  const port = String(await freePort())
  const env = {
    PATH: process.env['PATH'],
    MILLRACE_NATS_URL: nats.url,
    MILLRACE_NATS_PASSWORD: password('coordinator'),
  }
  const main = join(import.meta.dirname, '../../services/coordinator/src/main.ts')
  coordinator = spawn(process.execPath, [main], {
    env: { ...env, MILLRACE_INSTANCE: '1', MILLRACE_HTTP_PORT: port },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
})

afterAll(async () => {
  coordinator.kill('SIGTERM')
  if (coordinator.exitCode === null) await once(coordinator, 'exit')
  await nats[Symbol.asyncDispose]()
})

const cli = (args: string[], input = '') =>
  millrace(args, { input, env: { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') } })

test('from nothing to a route, and back to nothing', async () => {
  await eventually(async () => (await cli(['get'])).code === 0, {
    timeout: 15_000,
    what: 'the coordinator has made its buckets',
  })
  expect(await cli(['apply', '-f', telemetry])).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('+ Route telemetry\napplied'),
  })
  expect(await cli(['apply', '-f', telemetry])).toEqual({ code: 0, out: 'nothing changes\n', err: '' })

  const status = JSON.parse((await cli(['status', '-o', 'json'])).out)
  expect(status).toMatchObject({
    leader: { instance: '1' },
    routes: [{ name: 'telemetry', deleting: false, pending: 0 }],
  })

  const inUse = await cli(['delete', 'connection', 'local-mqtt'])
  expect(inUse).toMatchObject({ code: 1, out: '' })
  expect(inUse.err).toContain('local-mqtt is used by route telemetry')

  const huge = (await readFile(join(telemetry, 'route.yaml'), 'utf8')) + '  buffer: { maxBytes: 1TiB }\n'
  const refused = await cli(['apply', '-f', '-'], huge)
  expect(refused.code).toBe(1)
  expect(refused.err).not.toContain('a defect')

  expect(await cli(['delete', 'route', 'telemetry', '--discard'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('0 records'),
  })
  expect(await cli(['delete', 'route', 'telemetry', '--discard', '--yes'])).toMatchObject({ code: 0, err: '' })
  await eventually(async () => JSON.parse((await cli(['status', '-o', 'json'])).out).routes.length === 0, {
    timeout: 20_000,
    what: 'the route is gone',
  })
  expect(await cli(['delete', 'route', 'telemetry'])).toMatchObject({
    code: 1,
    err: 'millrace: There is no Route telemetry.\n',
  })
})
