/** A service as a process: how it begins, what it shows, and how it ends. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { makeBucket } from '@millrace/bus'
import { eventually, freePort, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Rig, sink, TestService } from './rig.ts'

noLeaks()

test('wrong settings: every problem in the log, nothing is dialled, exit code 78', async () => {
  await using service = new TestService('./probe.ts', {
    MILLRACE_NATS_URL: 'http://127.0.0.1',
    MILLRACE_NATS_PASSWORD: 'hunter2!',
    MILLRACE_HTTP_PORT: 'many',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  })
  expect(await service.exited()).toBe(78)
  expect(service.lines.map(({ msg }) => msg)).toEqual(['wrong setting', 'wrong setting', 'wrong setting'])
  expect(JSON.stringify(service.lines)).not.toContain('hunter2!')
})

test('SIGTERM drains, tells that it has stopped, and exits with 0', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write', 5)
  const told = performance.now()
  service.kill('SIGTERM')
  expect(await service.exited()).toBe(0)
  expect(performance.now() - told).toBeLessThan(5_000)
  expect(service.events('drained', 'aborted').map(({ event }) => event)).toEqual(['drained'])
  expect(await rig.document()).toMatchObject({ state: 'stopped', actors: [{ state: 'stopped' }] })
})

test('what does not finish draining is aborted after 10 s, and what does not even obey that is left', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'slow', 'stubborn')
  await using service = rig.service()
  await rig.assign([sink('slow', 5), sink('stubborn', 6)])
  await service.saw('write')
  const told = performance.now()
  service.kill('SIGTERM')
  expect(await service.exited()).toBe(0)
  const took = performance.now() - told
  expect(took).toBeGreaterThan(10_000)
  expect(took).toBeLessThan(13_000)
  expect(service.events('aborted')).toHaveLength(1)
})

test('a second signal ends it at once', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'slow')
  await using service = rig.service()
  await rig.assign([sink('slow', 5)])
  await service.saw('write')
  service.kill('SIGINT')
  await eventually(() => service.lines.some(({ msg }) => msg === 'draining'), { what: 'draining' })
  const told = performance.now()
  service.kill('SIGINT')
  expect(await service.exited()).toBe(0)
  expect(performance.now() - told).toBeLessThan(5_000)
})

test('without NATS it starts, is alive and not ready, tries for ever, and can be stopped', async () => {
  await using service = new TestService('./probe.ts', { MILLRACE_NATS_URL: `nats://127.0.0.1:${await freePort()}` })
  const url = `http://127.0.0.1:${await service.port()}`
  await eventually(async () => (await (await fetch(`${url}/readyz`)).text()).startsWith('NATS at'), { what: 'why not' })
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  service.kill('SIGTERM')
  expect(await service.exited()).toBe(0)
})

test('ready is who is connected, has a stored heartbeat, and has read its assignment', async () => {
  await using rig = await Rig.start({ buckets: ['mr_routes'] })
  await using service = rig.service()
  const url = `http://127.0.0.1:${await service.port()}/readyz`
  const says = async (text: string) => {
    const look = async () => (await (await fetch(url)).text()) === text
    await eventually(look, { what: text, timeout: 20_000 })
  }
  await says('no heartbeat was stored in the last 4 s\n')
  await makeBucket(rig.bus, 'mr_instances', 1)
  await says('the assignment has not been read yet\n')
  expect((await fetch(url)).status).toBe(503)
  await makeBucket(rig.bus, 'mr_assign', 1)
  await says('ok\n')
  expect((await fetch(url)).status).toBe(200)
})

test('the metrics tell records, state and owner by route and lane', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  await rig.assign([sink('r', 5)])
  await service.saw('write', 3)
  const url = `http://127.0.0.1:${await service.port()}`
  const text = await (await fetch(`${url}/metrics`)).text()
  const lane = 'route="r",lane="0",role="sink"'
  expect(text).toMatch(new RegExp(`^millrace_records_out_total\\{${lane}\\} [1-9]`, 'm'))
  for (const name of ['in', 'dead', 'filtered', 'refused', 'parked', 'duplicates', 'dropped']) {
    expect(text).toContain(`millrace_records_${name}_total{${lane}} 0\n`)
  }
  expect(text).toContain(`millrace_records_pending{${lane}} 0\n`)
  expect(text).toContain(`millrace_actor_state{${lane},state="running"} 1\n`)
  expect(text).toContain(`millrace_owner{${lane},instance="one"} 1\n`)
  expect(text).toContain(`millrace_epoch{${lane}} 5\n`)
  expect(text).toContain(`millrace_latency_seconds_bucket{${lane},le="0.005"} 1\n`)
  expect(text).toMatch(/^process_resident_memory_bytes\{service="kafka-egress"\} \d+$/m)
})

test('what a lister finds stands in the heartbeat, until the route is another one', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using service = rig.service()
  const lister = sink('r', 5, { id: 'lister.r.lister', role: 'lister', lane: 'lister' })
  await rig.assign([lister])
  const { actors } = await rig.seen('what it found', ({ actors }) => actors[0]?.lanes !== undefined)
  expect(actors).toMatchObject([{ id: lister.id, epoch: 5, version: 1, lanes: ['t/0', 't/1'] }])
  await rig.routes(2, 'r')
  await rig.assign([{ ...lister, epoch: 6, version: 2 }])
  await service.saw('started', 2)
  const later = await rig.seen(
    'the new version',
    ({ actors }) => actors[0]?.state === 'running' && actors[0].epoch === 6,
  )
  expect(later.actors[0]).not.toHaveProperty('lanes')
})

test('a secret that an actor reads never reaches the log', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-secrets-'))
  mkdirSync(path.join(folder, 'login'))
  writeFileSync(path.join(folder, 'login', 'password'), 'correct horse\n')
  try {
    await using rig = await Rig.start()
    await rig.routes(1, 'secret')
    await using service = rig.service('./probe.ts', { MILLRACE_SECRETS_DIR: folder })
    await rig.assign([sink('secret', 5)])
    expect((await service.saw('secret')).msg).toBe('[redacted]')
    expect(JSON.stringify(service.lines)).not.toContain('correct horse')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a route logs at its own level, its failures as well', async () => {
  await using rig = await Rig.start()
  const levels: Record<string, string> = { loud: 'debug', fails: 'error', curious: 'error' }
  rig.fieldsOf = name => ({ logLevel: levels[name] })
  await rig.routes(1, 'loud', 'fails', 'curious')
  await using service = rig.service('./probe.ts', { MILLRACE_LOG_LEVEL: 'warn' })
  await rig.assign([sink('loud', 5), sink('fails', 5), sink('curious', 5)])
  await rig.seen('all at work', ({ actors }) => actors.filter(({ state }) => state === 'running').length === 2)
  const failed = () => service.lines.some(({ msg }) => msg === 'actor failed')
  await eventually(failed, { what: 'the failure', timeout: 20_000 })
  const of = (route: string) => [
    ...new Set(service.lines.filter(line => line['route'] === route).map(({ msg }) => msg)),
  ]
  expect(of('loud')).toEqual(['actor begins', 'started', 'write'])
  expect(of('fails')).toEqual(['actor failed'])
  expect(of('curious')).toEqual([])
})

test('a process that another one replaces under its name does nothing more and exits with 75', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using older = rig.service()
  await rig.assign([sink('r', 5)])
  await older.saw('write')
  await using newer = rig.service()
  expect(await older.exited()).toBe(75)
  expect(older.events('aborted')).toHaveLength(1)
  const { startId } = await rig.seen('the newer one', ({ actors }) => actors.length === 0)
  await rig.assign([sink('r', 6)], { startId })
  await newer.saw('write')
})

test('a taken port is told, with exit code 78', async () => {
  await using rig = await Rig.start()
  await using service = rig.service('./probe.ts', { MILLRACE_HTTP_PORT: String(rig.nats.port) })
  expect(await service.exited()).toBe(78)
  expect(service.lines.at(-1)?.msg).toContain('MILLRACE_HTTP_PORT')
})
