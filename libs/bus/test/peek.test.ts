import { install, type Installation, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bus, openLane, peekLane, trimLane } from '../src/index.ts'

noLeaks()

let installation: Installation
let cli: Bus

beforeAll(async () => {
  installation = await install()
  cli = await installation.connect('cli')
})
afterAll(() => installation[Symbol.asyncDispose]())

test('the command line’s user sees the messages of a lane, and takes nothing', async () => {
  const { lane, uid } = await installation.route('seen')
  expect(await peekLane(cli, lane, 'last')).toBeUndefined()
  const bus = await installation.connect('mqtt-ingress')
  const { signal } = installation
  const appender = await openLane({ bus, lane, uid, epoch: 1, signal, start: () => 'start', tell() {} })
  for (const text of ['a', 'b']) await appender.append({ payload: Buffer.from(text), count: 1, position: text })

  expect(await peekLane(cli, lane, 'last')).toMatchObject({ sequence: 3, base: 1, count: 1, payload: Buffer.from('b') })
  expect(await peekLane(cli, lane, { sequence: 2 })).toMatchObject({ payload: Buffer.from('a'), position: 'a' })
  expect(await peekLane(cli, lane, { after: 0 })).toMatchObject({ sequence: 1, count: 0 })
  expect(await peekLane(cli, lane, { after: 2 })).toMatchObject({ sequence: 3 })
  expect(await peekLane(cli, lane, { after: 3 })).toBeUndefined()
  expect(await peekLane(cli, { ...lane, lane: '1' }, { sequence: 3 })).toBeUndefined()

  await trimLane(installation.coordinator, lane, 3)
  expect(await peekLane(cli, lane, { sequence: 2 })).toBeUndefined()
  expect(await peekLane(cli, lane, { after: 0 })).toMatchObject({ sequence: 3 })
})
