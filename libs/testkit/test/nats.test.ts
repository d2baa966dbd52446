import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { eventually, noLeaks, startNats } from '../src/index.ts'

noLeaks()

test('what JetStream stored outlives a kill and a restart, on the same port', async () => {
  await using nats = await startNats()
  const { pid, port, url } = nats
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 20 })
  const manager = await jetstreamManager(connection, { timeout: 500 })
  await manager.streams.add({ name: 'S', subjects: ['s'] })
  await jetstream(connection).publish('s', 'one')

  await nats.kill()
  expect(nats.alive).toBe(false)
  await nats.restart()
  expect(nats.pid).not.toBe(pid)
  expect(nats.port).toBe(port)
  const publish = () => jetstream(connection, { timeout: 500 }).publish('s', 'two', { msgID: 'two' })
  expect(await eventually(publish, { what: 'the client is back' })).toMatchObject({ seq: 2 })

  await nats.restart()
  const messages = async () => (await manager.streams.info('S')).state.messages
  expect(await eventually(messages, { what: 'the client is back again' })).toBe(2)
  await connection.close()
})

test('a paused server answers nobody until it goes on', async () => {
  await using nats = await startNats()
  const answers = () => fetch(`${nats.monitorUrl}/healthz`, { signal: AbortSignal.timeout(200) })
  expect((await answers()).ok).toBe(true)
  nats.pause()
  await expect(answers()).rejects.toThrow('timeout')
  nats.resume()
  expect((await eventually(answers, { what: 'it goes on' })).ok).toBe(true)
})

test('a paused server can be disposed', async () => {
  const nats = await startNats()
  nats.pause()
  await nats[Symbol.asyncDispose]()
  expect(nats.alive).toBe(false)
})

test('users, the largest payload and the most that is stored are as told', async () => {
  await using nats = await startNats({
    users: 'authorization { users: [{ user: u, password: p }] }',
    maxPayload: '2MB',
    maxFileStore: '3MB',
  })
  await expect(connect({ servers: nats.url, reconnect: false })).rejects.toThrow('Authorization')
  const connection = await connect({ servers: nats.url, user: 'u', pass: 'p' })
  expect(connection.info?.max_payload).toBe(2 * 1024 * 1024)
  const manager = await jetstreamManager(connection)
  const tooLarge = manager.streams.add({ name: 'S', subjects: ['s'], max_bytes: 4 * 1024 * 1024 })
  await expect(tooLarge).rejects.toThrow('insufficient storage')
  await connection.close()
})

test('a configuration that is refused is told with the last lines of the log', async () => {
  await expect(startNats({ extra: 'no_such_setting: 1' })).rejects.toThrow(/ended at its start.*no_such_setting/s)
})

test('a taken port is told', async () => {
  await using nats = await startNats()
  await expect(startNats({ port: nats.port })).rejects.toThrow(`port ${nats.port}`)
})
