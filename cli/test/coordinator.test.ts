/** The command line against a coordinator that runs as it does for users: its own process, its own NATS user. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Led, startLed } from './led.ts'
import { examples } from './spawn.ts'

const telemetry = join(examples, 'telemetry')

let led: Led
beforeAll(async () => {
  led = await startLed()
})
afterAll(() => led[Symbol.asyncDispose]())

const cli: Led['cli'] = (args, input) => led.cli(args, input)

test('from nothing to a route, and back to nothing', async () => {
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

test('a route from Kafka, delivered exactly once, was taken for one from MQTT where its connections apply already', async () => {
  expect(await cli(['apply', '-f', join(telemetry, 'connections.yaml')])).toMatchObject({ code: 0 })
  const route = `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: copied }
spec:
  source: { connection: local-kafka, topics: [a] }
  sink: { connection: local-kafka, topic: b, partition: '\${source.partition}' }
  delivery: exactlyOnce
`
  expect(await cli(['apply', '--dry-run', '-f', '-'], route)).toMatchObject({ code: 0, err: '' })
})
