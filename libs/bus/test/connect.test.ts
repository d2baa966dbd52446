import { eventually, freePort, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { connectBus, type Problem, StoppedError } from '../src/index.ts'
import { install, passwords } from './installation.ts'

noLeaks()

const telling = () => {
  const told: (Problem | undefined)[] = []
  return { told, tell: (problem: Problem | undefined) => void told.push(problem) }
}

test("It waits for a server that is not there yet, and says so without the URL's secrets", async () => {
  const stop = new AbortController()
  const { told, tell } = telling()
  const url = `nats://someone:secret@127.0.0.1:${await freePort()}`
  const connecting = connectBus({ url, user: 'cli', name: 'test', signal: stop.signal, tell })
  await eventually(() => told.length > 1, { what: 'the second attempt' })
  expect(told[0]?.code).toBe('nats_unreachable')
  expect(JSON.stringify(told)).not.toContain('secret')
  stop.abort()
  await expect(connecting).rejects.toThrow(StoppedError)
})

test('A wrong password is told, never part of what is told, and tried again', async () => {
  await using installation = await install()
  const stop = new AbortController()
  const { told, tell } = telling()
  const access = { url: installation.nats.url, user: 'cli', name: 'test', signal: stop.signal } as const
  const connecting = connectBus({ ...access, password: 'wrong-one', tell })
  await eventually(() => told.length > 1, { what: 'the second attempt' })
  expect(told[0]?.message).toMatch(/authorization/i)
  expect(JSON.stringify(told)).not.toContain('wrong-one')
  stop.abort()
  await expect(connecting).rejects.toThrow(StoppedError)
})

test('What is under way when the connection breaks is unknown at once; the connection comes back by itself, and says so', async () => {
  await using installation = await install()
  const { signal } = installation
  const { told, tell } = telling()
  const access = { url: installation.nats.url, user: 'cli', password: passwords.cli, name: 'test' } as const
  const bus = await connectBus({ ...access, signal, tell })
  expect(told).toEqual([undefined])
  installation.nats.pause()
  const asked = bus.call(bus.jsm.streams.info('KV_mr_routes'))
  const [outcome] = await Promise.allSettled([asked, installation.nats.kill()])
  expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'UnknownOutcomeError' } })
  expect(bus.connected).toBe(false)
  await installation.nats.restart()
  await bus.whenConnected(signal)
  expect(told.at(1)?.code).toBe('nats_unreachable')
  expect(told.at(-1)).toBeUndefined()
  await bus[Symbol.asyncDispose]()
  expect(await bus.closed()).toBeUndefined()
})
