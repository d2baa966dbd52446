import { install, type Installation, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askControl, type Bus, serveControl, UnknownOutcomeError } from '../src/index.ts'

noLeaks()

let installation: Installation
let sink: Bus
let cli: Bus
const instance = { service: 'kafka-egress', instance: 'rack 1.a' } as const

beforeAll(async () => {
  installation = await install()
  sink = await installation.connect('kafka-egress')
  cli = await installation.connect('cli')
})
afterAll(() => installation[Symbol.asyncDispose]())

test('An instance is asked and answers; what it throws is an answer too', async () => {
  const stop = new AbortController()
  const answer = (request: unknown) =>
    Array.isArray(request) ? Promise.reject(new Error('No arrays.')) : Promise.resolve({ ok: true, request })
  serveControl(sink, instance, answer, stop.signal)
  await sink.nc.flush()
  expect(await askControl(cli, instance, { op: 'status' })).toEqual({ ok: true, request: { op: 'status' } })
  expect(await askControl(cli, instance, [])).toEqual({
    ok: false,
    problem: { code: 'bad_request', message: 'No arrays.' },
  })
  const bad = await cli.nc.request('mr.ctl.kafka-egress.rack=201=2Ea', '{', { timeout: 5_000 })
  expect(bad.json()).toMatchObject({ ok: false, problem: { code: 'bad_request' } })
  stop.abort()
  await sink.nc.flush()
  await expect(askControl(cli, instance, {})).rejects.toThrow(UnknownOutcomeError)
})
