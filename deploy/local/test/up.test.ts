import { createServer } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { InstanceDocument } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test, vi } from 'vitest'
import { start } from '../index.mjs'
import { Kept } from '../up/keep.ts'
import { readOptions } from '../up/options.ts'
import { plainLine, render, type View } from '../up/screen.ts'
import { startServers } from '../up/servers.ts'
import { RouteRates } from '../up/view.ts'

noLeaks()

test('What the command line says is read, and what it gets wrong is told with what would be right', () => {
  expect(readOptions([])).toMatchObject({ demo: true, config: undefined })
  const told = readOptions([
    '--no-demo',
    '--config',
    'here',
    '--instances',
    'kafka-egress=3',
    '--instances=coordinator=2',
  ])
  expect(told).toMatchObject({ demo: false, config: 'here' })
  const ingress = { 'mqtt-ingress': 1, 'kafka-ingress': 1 }
  expect(told.instances).toEqual({ coordinator: 2, ...ingress, 'mqtt-egress': 1, 'kafka-egress': 3 })
  expect(() => readOptions(['--instances', 'kafka=3'])).toThrow(/no service kafka.*coordinator, mqtt-ingress/s)
  expect(() => readOptions(['--instances', 'kafka-egress=0'])).toThrow(/from 1 to 50/)
  expect(() => readOptions(['--no-such'])).toThrow(/--no-such.*npm start/s)
})

test('A process that dies is told and started again; one that is stopped stays away', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-keep-'))
  const told: string[] = []
  const sleeper = () => Promise.resolve(start('sleep', ['60'], { log: path.join(folder, 'log') }))
  const kept = await Kept.start('sleeper', sleeper, line => told.push(line))
  const first = kept.pid
  process.kill(first, 'SIGKILL')
  await eventually(() => kept.restarts === 1, { what: 'the second run' })
  expect(kept.pid).not.toBe(first)
  expect(told).toEqual([
    `sleeper (process ${first}) died: SIGKILL; starting it again`,
    `sleeper runs again (process ${kept.pid})`,
  ])
  await kept.stop()
  expect(kept.running).toBe(false)
  expect(() => process.kill(kept.pid, 0)).toThrow(/ESRCH/)
  await rm(folder, { recursive: true })
})

test('A process that can not be started the first time is not tried again', async () => {
  const failing = () => Promise.reject(new Error('no such thing'))
  await expect(Kept.start('x', failing, () => expect.unreachable())).rejects.toThrow('no such thing')
})

test('A taken port is told with both ways out', async () => {
  vi.stubEnv('MILLRACE_NATS_URL', 'nats://given')
  vi.stubEnv('MILLRACE_KAFKA_BROKERS', 'given:9092')
  const holder = createServer()
  // Whether it is this server that has the port, or one that was there before: it is taken.
  await new Promise<void>(resolve => {
    holder.once('error', () => resolve())
    holder.listen(1883, '127.0.0.1', resolve)
  })
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-ports-'))
  await expect(startServers({ folder, users: '', tell: () => undefined })).rejects.toThrow(
    /port 1883, for mosquitto, is taken.*MILLRACE_MQTT_URL.*end that one first/,
  )
  holder.close()
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const instance = (id: string, counts: Record<string, number>): InstanceDocument => ({
  startId: 's',
  beat: 1,
  version: '1',
  term: 1,
  revision: 1,
  state: 'running',
  actors: [{ id, epoch: 1, version: 1, state: 'running', counts }],
})

test('Rates are what came between two looks; a process that began anew takes nothing away', () => {
  const rates = new RouteRates()
  const look = (counted: number) =>
    rates.rows(
      new Map([
        ['mqtt-ingress.1', instance('source.r.0', { in: counted, pending: 2 })],
        ['kafka-egress.1', instance('sink.r.0', { out: counted, dead: 1, pending: 3, latencyP50: 5, latencyP99: 10 })],
        ['coordinator.1', instance('coordinator', {})],
      ]),
    )
  expect(look(100)).toMatchObject([{ name: 'r', in: 0, out: 0, backlog: 5, dead: 1, latency: { p50: 5, p99: 10 } }])
  expect(look(200)[0]?.in).toBeGreaterThan(0)
  expect(look(10)).toMatchObject([{ in: 0, out: 0 }])
})

test('The screen fits its width, and a line says a route where there is no terminal', () => {
  const route = {
    name: 'r',
    in: 1234.5,
    out: 1200,
    backlog: 34,
    dead: 0,
    latency: { p50: 5, p99: 25 },
    problem: undefined,
  }
  const view: View = {
    title: 'Millrace',
    processes: [{ name: 'kafka', pid: 1, restarts: 0, state: 'running', owns: [] }],
    routes: [{ ...route, problem: 'a long story '.repeat(20) }],
    events: ['1', '2', '3', '4', '5', '6'],
    hints: [],
  }
  const lines = render(view, 60)
  expect(lines.every(line => line.length <= 60)).toBe(true)
  expect(lines.find(line => line.startsWith('r '))).toMatch(/^r {6}1,235 {2}1,200 {2}34 {7}0 {5}5 \/ 25/)
  expect(lines).not.toContain('  1')
  expect(plainLine(route)).toBe('route=r in=1,235/s out=1,200/s backlog=34 dead=0 p50=5ms p99=25ms')
})
