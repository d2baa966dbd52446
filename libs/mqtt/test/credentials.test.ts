import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type MqttConnection, resolveCredentials, secretSource } from '@millrace/routes'
import { type Mosquitto, noLeaks, startMosquitto } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectToPublish, type Ending, readLogin } from '../src/index.ts'
import { connected, options, refusal } from './connecting.ts'
import { accepted, type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-credentials-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a password: the right one passes, the wrong one is refused and not repeated in the problem', async () => {
  await using other = await startMosquitto({ passwords: { ada: 'right-password' } })
  const ending = await refusal(other.port, { username: 'ada', password: 'wrong-password' })
  expect(ending).toMatchObject({ is: 'refused', mayPassLater: false })
  expect(JSON.stringify(ending)).not.toContain('wrong-password')
  const session = await connected(other.port, { username: 'ada', password: 'right-password' })
  await session.disconnect('end')
})

test.each([
  ['as the password', {}],
  ['as the password where its method is unknown', { authenticationMethod: 'K8S-SAT' }],
])('a token is sent %s, and read anew for each connect: it rotates', async (_, method) => {
  await using other = await startMosquitto({ passwords: { $sat: 'second-token' } })
  const file = path.join(folder, 'sat')
  const auth = { token: { file, username: '$sat', ...method } }
  const mqtt: MqttConnection = { url: other.url, version: 5, keepAlive: 30_000, auth }
  const login = async () => {
    const places = { secrets: secretSource({ env: {} }), conceal() {} }
    const credentials = () => resolveCredentials({ name: 'c', mqtt }, places)
    const read = await readLogin(mqtt, { credentials, clientId: 'pod' })
    if ('is' in read) throw new Error(`no login: ${JSON.stringify(read)}`)
    return read
  }
  await writeFile(file, 'first-token\n')
  const ending = await refusal(other.port, await login())
  expect(ending).toMatchObject({ is: 'refused' })
  expect(JSON.stringify(ending)).not.toContain('first-token')
  await writeFile(file, 'second-token\n')
  await (await connected(other.port, await login())).disconnect('end')
})

describe('an authentication method', () => {
  const login = { username: '$sat', password: 'the-token', authenticationMethod: 'K8S-SAT' }
  /** How each CONNECT proved who it was. */
  const proofs = ({ clients }: ScriptedBroker) =>
    clients
      .flatMap(client => client.all('connect'))
      .map(packet => {
        if (packet.cmd !== 'connect') throw new Error(packet.cmd)
        const { authenticationMethod, authenticationData } = packet.properties ?? {}
        return [authenticationMethod, authenticationData?.toString(), packet.username, packet.password?.toString()]
      })
  const byMethod = ['K8S-SAT', 'the-token', undefined, undefined]

  test('has the token as its data, of a session and of a publisher, which say what they else do', async () => {
    await using broker = await startScriptedBroker((client, { cmd }) => cmd === 'connect' && client.send(accepted))
    await (await connected(broker.port, login)).disconnect('keep')
    const publishing = await connectToPublish(options(broker.port, login), new AbortController().signal)
    if (publishing.is !== 'connected') throw new Error(publishing.is)
    await publishing.publishing.disconnect()
    expect(proofs(broker)).toEqual([byMethod, byMethod])
    const [first] = broker.clients[0]?.all('connect') ?? []
    expect(first).toMatchObject({ clean: false, properties: { sessionExpiryInterval: 600, receiveMaximum: 100 } })
  })

  test('that the broker does not know gives way to user name and password, where there is a user name', async () => {
    await using broker = await startScriptedBroker((client, packet) => {
      if (packet.cmd !== 'connect') return
      const isUnknown = packet.properties?.authenticationMethod !== undefined
      client.send(isUnknown ? { ...accepted, reasonCode: 0x8c } : accepted)
    })
    await (await connected(broker.port, login)).disconnect('keep')
    expect(proofs(broker)).toEqual([byMethod, [undefined, undefined, '$sat', 'the-token']])
    const ending = await refusal(broker.port, { ...login, username: undefined })
    expect(ending).toMatchObject({ is: 'refused', reasonCode: 0x8c, mayPassLater: false })
  })

  test.each([
    ['a refused token', { ...accepted, reasonCode: 0x87 }, 'broker_refused'],
    ['a challenge, which no token answers', { cmd: 'auth', reasonCode: 0x18 }, 'protocol_error'],
  ] as const)('%s is told, and the token is not', async (_, answer, code) => {
    await using broker = await startScriptedBroker((client, { cmd }) => cmd === 'connect' && client.send(answer))
    const ending = await refusal(broker.port, login)
    expect(ending).toMatchObject({ problem: { code } })
    expect(JSON.stringify(ending)).not.toContain('the-token')
    expect(proofs(broker)).toEqual([byMethod])
  })
})

test.each([false, true])('TLS (WebSocket: %j): trusted by its authority only, and by its name', async webSocket => {
  await using other = await startMosquitto({ tls: { webSocket } })
  const { port, certificates } = tlsOf(other)
  const over = { webSocket: webSocket ? '/mqtt' : null }
  const ca = await readFile(certificates.ca, 'utf8')
  await (await connected(port, { ...over, tls: { ca, verify: true } })).disconnect('end')
  await (await connected(port, { ...over, tls: { verify: false } })).disconnect('end')
  expect(tlsProblem(await refusal(port, { ...over, tls: { verify: true } }))).toContain('tls.caFile')
  const tls = { ca, servername: 'elsewhere.example', verify: true }
  expect(tlsProblem(await refusal(port, { ...over, tls }))).toContain('tls.servername')
})

test.each([false, true])(
  'a client certificate (WebSocket: %j): it is the login, and without it there is no connection',
  async webSocket => {
    await using other = await startMosquitto({ tls: { clientCertificate: true, webSocket } })
    const { port, certificates } = tlsOf(other)
    const over = { webSocket: webSocket ? '/mqtt' : null }
    const files = [certificates.ca, certificates.client.cert, certificates.client.key]
    const [ca, cert, key] = await Promise.all(files.map(file => readFile(file, 'utf8')))
    await (await connected(port, { ...over, tls: { ca, cert, key, verify: true } })).disconnect('end')
    expect(tlsProblem(await refusal(port, { ...over, tls: { ca, verify: true } }))).toContain('auth.x509')
    const broken = await refusal(port, { ...over, tls: { ca, cert, key: 'not a key', verify: true } })
    expect(tlsProblem(broken)).not.toContain('not a key')
  },
)

test('a certificate of the broker that has expired is told as such', async () => {
  await using other = await startMosquitto({ tls: { expired: true } })
  const { port, certificates } = tlsOf(other)
  const ca = await readFile(certificates.ca, 'utf8')
  expect(tlsProblem(await refusal(port, { tls: { ca, servername: 'localhost', verify: true } }))).toContain('expired')
})

test('a certificate of ours that has expired is told as such', async () => {
  await using other = await startMosquitto({ tls: { clientCertificate: true } })
  const { port, certificates } = tlsOf(other)
  const files = [certificates.ca, certificates.expired.cert, certificates.expired.key]
  const [ca, cert, key] = await Promise.all(files.map(file => readFile(file, 'utf8')))
  expect(tlsProblem(await refusal(port, { tls: { ca, cert, key, verify: true } }))).toContain('our certificate')
})

test('TLS to a port without it is told as such', async () => {
  await using other = await startMosquitto()
  expect(await refusal(other.port, { tls: { verify: true } })).toMatchObject({ is: 'lost' })
})

function tlsProblem(ending: Ending): string {
  expect(ending).toMatchObject({ is: 'lost', problem: { code: 'tls_failed' } })
  return JSON.stringify(ending)
}

function tlsOf({ tls }: Mosquitto): NonNullable<Mosquitto['tls']> {
  if (tls === undefined) throw new Error('a mosquitto without TLS')
  return tls
}
