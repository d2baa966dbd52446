/** `millrace delete`: what it says of what a leader answers. */
import { natsUserNames, natsUsers } from '@millrace/bus'
import { type NatsServer, startNats } from '@millrace/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Leader } from './leader.ts'
import { millrace } from './spawn.ts'

const password = (user: string) => `pw-of-${user}`

let nats: NatsServer
let leader: Leader

beforeAll(async () => {
  const passwords = natsUserNames.map(user => [user, password(user)] as const)
  nats = await startNats({ users: natsUsers(Object.fromEntries(passwords) as Parameters<typeof natsUsers>[0]) })
  leader = await Leader.start(nats.url, password('coordinator'))
})

afterAll(async () => {
  await leader[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

beforeEach(() => {
  leader.asked.length = 0
})

const cli = (args: string[]) =>
  millrace(args, { env: { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: password('cli') } })

test('who is no longer the leader is not believed: the next one is asked', async () => {
  leader.answers.push({ ok: false, problem: { code: 'not_leader', message: 'no' } })
  leader.answers.push({ ok: true, deleted: [{ kind: 'Route', name: 'telemetry', pending: 1234, deadLetters: 0 }] })
  expect(await cli(['delete', 'route', 'telemetry'])).toEqual({
    code: 0,
    out: 'route telemetry: its sources stop; 1234 records that are stored are delivered, then it is gone\n',
    err: '',
  })
  const request = { op: 'delete', routes: ['telemetry'] }
  expect(leader.asked).toEqual([request, request])
})

test('what would be thrown away is told, and without --yes nothing is', async () => {
  leader.answers.push({ ok: true, deleted: [{ kind: 'Route', name: 'telemetry', pending: 1234, deadLetters: 0 }] })
  expect(await cli(['delete', 'route', 'telemetry', '--discard'])).toEqual({
    code: 2,
    out: '',
    err: 'route telemetry: 1234 records that are stored and not delivered would be lost\nmillrace: nothing was deleted; add --yes to throw them away, and what the broker holds for their sources\n',
  })
  expect(leader.asked).toEqual([{ op: 'delete', routes: ['telemetry'], discard: true, dryRun: true }])
  leader.answers.push({ ok: true, deleted: [{ kind: 'Route', name: 'telemetry', pending: 1234, deadLetters: 0 }] })
  expect(await cli(['delete', 'route', 'telemetry', '--discard', '--yes'])).toMatchObject({
    code: 0,
    out: 'route telemetry: deleted; 1234 records were thrown away\n',
  })
  expect(leader.asked.at(-1)).toEqual({ op: 'delete', routes: ['telemetry'], discard: true })
})

test('where nobody can tell how much would be thrown away, that is said, and --yes is needed all the same', async () => {
  const deleted = [
    { kind: 'Route', name: 'telemetry', pending: null, deadLetters: 0 },
    { kind: 'Route', name: 'other', pending: 5, deadLetters: 0 },
  ]
  const answer = { ok: true, deleted }
  leader.answers.push(answer, answer, answer, answer)
  const command = ['delete', 'route', 'telemetry', 'other', '--discard']
  expect(await cli(command)).toEqual({
    code: 2,
    out: '',
    err: 'route telemetry: an unknown number of records that are stored and not delivered would be lost (millrace status says why)\nroute other: 5 records that are stored and not delivered would be lost\nmillrace: nothing was deleted; add --yes to throw them away, and what the broker holds for their sources\n',
  })
  const gone = await cli([...command, '--yes'])
  expect(gone.out).toContain('telemetry: deleted; an unknown number of records were thrown away\n')
  expect(JSON.parse((await cli([...command, '--yes', '-o', 'json'])).out)).toEqual({ deleted, discarded: true })
  expect((await cli(['delete', 'route', 'telemetry', 'other'])).out).toContain('how much that is nobody can tell')
})

test('a connection has no records to throw away', async () => {
  leader.answers.push({ ok: true, deleted: [{ kind: 'Connection', name: 'lake', pending: 0, deadLetters: 0 }] })
  expect(await cli(['delete', 'connection', 'lake', '--discard'])).toEqual({
    code: 0,
    out: 'connection lake: deleted\n',
    err: '',
  })
})

test('dead letters that go with a route are told', async () => {
  const answer = { ok: true, deleted: [{ kind: 'Route', name: 'telemetry', pending: 0, deadLetters: 7 }] }
  leader.answers.push(answer, answer)
  expect((await cli(['delete', 'route', 'telemetry'])).out).toContain('; its 7 dead letters go with it')
  expect((await cli(['delete', 'route', 'telemetry', '--discard'])).err).toContain('lost, and 7 dead letters')
})
