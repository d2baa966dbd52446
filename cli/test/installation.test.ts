import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import {
  Bucket,
  connectBus,
  type InstanceDocument,
  instanceDocument,
  natsUserNames,
  positionDocument,
  serveControl,
} from '@millrace/bus'
import { bareEnvironment, type NatsServer, startNats } from '@millrace/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Leader } from './leader.ts'
import { examples, main, millrace } from './spawn.ts'

let folder: string
let nats: NatsServer
let leader: Leader

const password = (user: string) => `pw-of-${user}`

/** The server runs with what the command itself prints; everything below is what that user may do. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  for (const user of natsUserNames)
    process.env[`NATS_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`] = password(user)
  const users = await millrace(['nats-users'])
  nats = await startNats({ users: users.out })
  leader = await Leader.start(nats.url, password('coordinator'))
})

afterAll(async () => {
  await leader[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

beforeEach(() => {
  leader.asked.length = 0
  leader.answers.length = 0
})

const cli = (args: string[], input = '') =>
  millrace(args, { input, env: { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') } })

test('a wrong password is exit code 3, and is not repeated', async () => {
  const env = { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: 'hunter2' }
  const ended = await millrace(['get'], { env })
  expect(ended).toMatchObject({ code: 3, out: '' })
  expect(ended.err).toMatch(/authorization.*set MILLRACE_NATS_PASSWORD/i)
  expect(ended.err).not.toContain('hunter2')
})

test('a password may come from a file', async () => {
  const file = join(folder, 'password')
  await writeFile(file, `${password('cli')}\n`)
  const env = { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD_FILE: file }
  expect(await millrace(['get'], { env })).toMatchObject({ code: 0, err: '' })
})

describe('apply, get, delete', () => {
  const telemetry = join(examples, 'telemetry')

  test('an apply shows what changes; the same again changes nothing', async () => {
    expect(await cli(['apply', '-f', telemetry, '--dry-run'])).toEqual({
      code: 0,
      out: '+ Connection local-kafka\n+ Connection local-mqtt\n+ Route telemetry\nvalid; nothing was changed\n',
      err: '',
    })
    expect(await cli(['apply', '-f', telemetry])).toEqual({
      code: 0,
      out: expect.stringMatching(
        /^\+ Connection local-kafka\n\+ Connection local-mqtt\n\+ Route telemetry\napplied, revision \d+\n$/,
      ),
      err: '',
    })
    leader.asked.length = 0
    expect(await cli(['apply', '-f', telemetry])).toEqual({ code: 0, out: 'nothing changes\n', err: '' })
    expect(leader.asked).toEqual([])
  })

  test('a changed field is shown with what it means, and a route may name connections that apply already', async () => {
    const route = await readFile(join(telemetry, 'route.yaml'), 'utf8')
    const ended = await cli(['apply', '-f', '-'], route.replace('topics: [sensors/+/telemetry]', 'topics: [sensors/#]'))
    expect(ended).toMatchObject({ code: 0, err: '' })
    expect(ended.out).toMatch(
      /^~ Route telemetry\n {4}source.topics: \["sensors\/\+\/telemetry"\] -> \["sensors\/#"\]\n {6}new filters are subscribed to.*\napplied/,
    )
  })

  test('a connection that is neither in the documents nor applied is told', async () => {
    const route = await readFile(join(telemetry, 'route.yaml'), 'utf8')
    const ended = await cli(['apply', '-f', '-'], route.replace('local-mqtt', 'local-mqt'))
    expect(ended).toMatchObject({ code: 2, out: '' })
    expect(ended.err).toContain(
      'stdin:6:25: spec.source.connection: there is no such connection; did you mean "local-mqtt"?',
    )
    expect(leader.asked).toEqual([])
  })

  test('what get prints can be applied again, and changes nothing', async () => {
    const all = await cli(['get'])
    expect(all).toMatchObject({ code: 0, err: '' })
    expect(await cli(['apply', '-f', '-'], all.out)).toMatchObject({ code: 0, out: 'nothing changes\n' })
    const [one, ...none]: unknown[] = JSON.parse((await cli(['get', 'route', 'telemetry', '-o', 'json'])).out)
    expect(none).toEqual([])
    expect(one).toMatchObject({ kind: 'Route', spec: { buffer: { maxBytes: '256MiB' } } })
    expect(await cli(['get', 'route', 'nothing'])).toEqual({
      code: 1,
      out: '',
      err: 'millrace: there is no route nothing; there are: telemetry\n',
    })
  })

  test('what the coordinator refuses is said as it says it', async () => {
    leader.answers.push({
      ok: false,
      problem: { code: 'no_space', message: 'NATS has 1 GiB left, this route wants 2 GiB' },
    })
    const input = await readFile(join(telemetry, 'connections.yaml'), 'utf8')
    const ended = await cli(['apply', '-f', '-'], input.replace('1883', '1884'))
    expect(ended).toMatchObject({ code: 1, err: 'millrace: NATS has 1 GiB left, this route wants 2 GiB\n' })
    leader.answers.push({ ok: false, problem: { code: 'invalid', message: 'Route x: bad' } })
    expect(await cli(['apply', '-f', '-'], input.replace('1883', '1884'))).toMatchObject({ code: 2 })
    leader.answers.push('gibberish')
    expect(await cli(['apply', '-f', '-'], input.replace('1883', '1884'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('not understood'),
    })
  })
})

describe('the fleet', () => {
  const beat = (number: number, more: Partial<InstanceDocument> = {}): InstanceDocument => ({
    startId: 's',
    beat: number,
    version: '0.1.0',
    term: 5,
    revision: 1,
    state: 'running',
    actors: [],
    ...more,
  })

  test('status shows routes, lanes, instances, and who is silent', async () => {
    const instances = new Bucket(leader.bus, 'mr_instances', instanceDocument)
    const actor = { epoch: 1, version: 1, state: 'running' as const, counts: { in: 10, out: 7, pending: 3 } }
    const problem = { code: 'broker_unreachable', message: 'kafka at 127.0.0.1:9092 is away' }
    const egress = { ...actor, id: 'sink.telemetry.0', state: 'holding' as const, problem }
    let revision = await instances.update(
      'mqtt-ingress.a',
      beat(1, { actors: [{ ...actor, id: 'source.telemetry.0' }] }),
      0,
    )
    await instances.update('kafka-egress.b', beat(1, { actors: [egress] }), 0)
    await new Bucket(leader.bus, 'mr_positions', positionDocument).update(
      'kafka-egress.telemetry.0',
      { uid: 'u', sequence: 9, epoch: 1, totals: { out: 12_345, dead: 6, filtered: 7, parked: 0 } },
      0,
    )
    const beating = setInterval(() => {
      void instances
        .update('mqtt-ingress.a', beat(Date.now(), { actors: [{ ...actor, id: 'source.telemetry.0' }] }), revision)
        .then(next => (revision = next))
    }, 200)
    const [asText, asJson] = await Promise.all([cli(['status']), cli(['status', '-o', 'json'])])
    clearInterval(beating)
    expect(asText).toMatchObject({ code: 0, err: '' })
    expect(asText.out).toContain('Led by coordinator.1, term 5.')
    expect(asText.out).toMatch(/^telemetry +best-effort +0 +0 +0 +12,345 +6 +7$/m)
    expect(asText.out).toMatch(/^telemetry\/0 source +mqtt-ingress.a +running$/m)
    expect(asText.out).toMatch(/^kafka-egress.b +silent +1 +0.1.0$/m)
    expect(asText.out).toContain('telemetry is best-effort: whether nats-server syncs is unknown')
    expect(JSON.parse(asJson.out)).toMatchObject({
      leader: { instance: '1', term: 5 },
      routes: [{ name: 'telemetry', totalOut: 12_345 }],
      instances: [
        { name: 'kafka-egress.b', state: 'silent' },
        { name: 'mqtt-ingress.a', state: 'running' },
      ],
    })
  })

  test('nats-server’s monitoring tells that it syncs, so the guarantee is known', async () => {
    const env = {
      MILLRACE_NATS_URL: nats.url,
      MILLRACE_NATS_PASSWORD: password('cli'),
      MILLRACE_NATS_MONITOR_URL: nats.monitorUrl,
    }
    const ended = await millrace(['status', '-o', 'json'], { env })
    expect(JSON.parse(ended.out)).toMatchObject({ routes: [{ guarantee: 'at-least-once', lowered: [] }] })
  })

  test('a watched status goes on until Ctrl-C, and then is exit code 130 without a word', async () => {
    const env = { ...bareEnvironment(), MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') }
    const child = spawn(process.execPath, [main, 'status', '--watch', '-o', 'json'], { env })
    const errors = text(child.stderr)
    let reports = 0
    for await (const line of createInterface(child.stdout)) {
      expect(JSON.parse(line)).toMatchObject({ leader: { instance: '1' } })
      reports += 1
      if (reports === 2) child.kill('SIGINT')
    }
    const code = child.exitCode ?? (await once(child, 'exit'))[0]
    expect({ code, errors: await errors, reports }).toEqual({ code: 130, errors: '', reports: 2 })
  })

  test('drain returns when the instance has no lanes any more', async () => {
    const stop = new AbortController()
    const options = { url: nats.url, user: 'kafka-egress', password: password('kafka-egress'), name: 'test' } as const
    await using bus = await connectBus({ ...options, signal: stop.signal })
    const instances = new Bucket(bus, 'mr_instances', instanceDocument)
    const actors = [{ id: 'sink.telemetry.1', epoch: 1, version: 1, state: 'running' as const }]
    let revision = await instances.create('kafka-egress.c', beat(1, { actors }))

    expect(await cli(['drain', 'kafka-egress.d'])).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        'there is no instance kafka-egress.d; there are: kafka-egress.b, kafka-egress.c, mqtt-ingress.a',
      ),
    })
    expect(await cli(['drain', 'kafka-egress.c'])).toMatchObject({
      code: 3,
      err: 'millrace: kafka-egress.c does not answer; is it running?\n',
    })

    const asked: unknown[] = []
    const answer = async (request: unknown) => {
      asked.push(request)
      revision = await instances.update('kafka-egress.c', beat(2, { state: 'draining', actors }), revision)
      await instances.update('kafka-egress.c', beat(3, { state: 'draining' }), revision)
      return { ok: true }
    }
    serveControl(bus, { service: 'kafka-egress', instance: 'c' }, answer, stop.signal)
    expect(await cli(['drain', 'kafka-egress.c'])).toEqual({
      code: 0,
      out: 'kafka-egress.c has no lanes any more; it may be stopped\n',
      err: 'kafka-egress.c drains\n',
    })
    expect(asked).toEqual([{ op: 'drain' }])
    stop.abort()
  })
})
