import { eventually, freePort, install, noLeaks, passwords } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { connectBus, type Problem, StoppedError } from '../src/index.ts'

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

test('What is asked while there is no connection is unknown when it is back, and not only after its time-out', async () => {
  await using installation = await install()
  const bus = await installation.connect('cli')
  await installation.nats.kill()
  await eventually(() => !bus.connected, { what: 'the connection breaks' })
  let outcome: string | undefined
  bus.call(bus.jsm.streams.info('KV_mr_routes')).then(
    () => (outcome = 'answered'),
    error => (outcome = error.name),
  )
  const asked = performance.now()
  // Longer than the client waits between two attempts to connect: the next one throws away what it was given.
  await eventually(() => performance.now() - asked > 1_000, { what: 'a second without NATS' })
  expect(outcome).toBeUndefined()
  await installation.nats.restart()
  await bus.whenConnected(installation.signal)
  await eventually(() => outcome !== undefined, { what: 'it is told', timeout: 1_000 })
  expect(outcome).toBe('UnknownOutcomeError')
})
