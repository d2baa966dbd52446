import { readFile } from 'node:fs/promises'
import { connect, connectAsync, type IClientOptions, type IConnackPacket } from 'mqtt'
import { expect, test } from 'vitest'
import { eventually, type Mosquitto, noLeaks, startMosquitto } from '../src/index.ts'

noLeaks()

const session: IClientOptions = {
  clientId: 'a',
  clean: false,
  protocolVersion: 5,
  properties: { sessionExpiryInterval: 3600 },
  reconnectPeriod: 0,
}

/** Whether the broker still knows the session. */
async function sessionIsKept(mosquitto: Mosquitto): Promise<boolean> {
  const client = connect(mosquitto.url, session)
  const { sessionPresent } = await new Promise<IConnackPacket>(resolve => client.once('connect', resolve))
  await client.endAsync()
  return sessionPresent
}

test('a session outlives an orderly restart, on the same port', async () => {
  await using mosquitto = await startMosquitto()
  const client = await connectAsync(mosquitto.url, session)
  await client.subscribeAsync('t', { qos: 1 })
  await client.endAsync()
  const { pid, port } = mosquitto
  await mosquitto.restart()
  expect(mosquitto.pid).not.toBe(pid)
  expect(mosquitto.port).toBe(port)
  expect(await sessionIsKept(mosquitto)).toBe(true)
})

test('without persistence a restart forgets the session', async () => {
  await using mosquitto = await startMosquitto({ persistence: false })
  const client = await connectAsync(mosquitto.url, session)
  await client.endAsync()
  await mosquitto.kill()
  await mosquitto.restart()
  expect(await sessionIsKept(mosquitto)).toBe(false)
})

test('it queues more than its own default of 1,000 messages', async () => {
  await using mosquitto = await startMosquitto()
  const away = await connectAsync(mosquitto.url, session)
  await away.subscribeAsync('t', { qos: 1 })
  await away.endAsync()
  const publisher = await connectAsync(mosquitto.url)
  await Promise.all(Array.from({ length: 1500 }, () => publisher.publishAsync('t', 'x', { qos: 1 })))
  await publisher.endAsync()
  const back = connect(mosquitto.url, session)
  let arrived = 0
  back.on('message', () => arrived++)
  await eventually(() => arrived >= 1500, { what: 'all 1,500 are there' })
  await back.endAsync()
  expect(arrived).toBe(1500)
})

test('a paused broker does not acknowledge until it goes on', async () => {
  await using mosquitto = await startMosquitto()
  const client = await connectAsync(mosquitto.url)
  mosquitto.pause()
  let acknowledged = false
  client.publish('t', 'x', { qos: 1 }, () => {
    acknowledged = true
  })
  await expect(connectAsync(mosquitto.url, { connectTimeout: 200, reconnectPeriod: 0 })).rejects.toThrow('connack')
  expect(acknowledged).toBe(false)
  mosquitto.resume()
  await eventually(() => acknowledged, { what: 'it goes on' })
  await client.endAsync()
})

test('TLS with a certificate of the client', async () => {
  await using mosquitto = await startMosquitto({ tls: { clientCertificate: true } })
  if (mosquitto.tls === undefined) throw new Error('asked for TLS')
  const { url, certificates } = mosquitto.tls
  const ca = await readFile(certificates.ca)
  const [cert, key] = [await readFile(certificates.client.cert), await readFile(certificates.client.key)]
  const client = await connectAsync(url, { ca, cert, key })
  await client.publishAsync('t', 'x', { qos: 1 })
  await client.endAsync()
  await expect(connectAsync(url, { ca, reconnectPeriod: 0 })).rejects.toThrow(/certificate|closed/)
})

test('passwords', async () => {
  await using mosquitto = await startMosquitto({ passwords: { u: 'right', v: 'other' } })
  for (const [username, password] of Object.entries({ u: 'right', v: 'other' })) {
    const client = await connectAsync(mosquitto.url, { username, password })
    await client.endAsync()
  }
  const wrong = connectAsync(mosquitto.url, { username: 'u', password: 'wrong', reconnectPeriod: 0 })
  await expect(wrong).rejects.toThrow('authorized')
})

test('a line that it does not know is told', async () => {
  await expect(startMosquitto({ extra: 'no_such_setting 1' })).rejects.toThrow(/ended at its start.*no_such_setting/s)
})
