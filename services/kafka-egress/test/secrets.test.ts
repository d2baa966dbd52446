/** No secret gets out, whatever a broker says: one that repeats each login in its words, which end up in errors. */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { assignmentDocument, Bucket, instanceDocument, routesDocument } from '@millrace/bus'
import {
  documentsFrom,
  eventually,
  install,
  type Installation,
  Issuer,
  noLeaks,
  passwords,
  storedDocuments,
} from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Reader, Writer } from '../../../libs/kafka/src/wire.ts'
import { framed, onRequest } from '../../../libs/kafka/test/framing.ts'
import { TestService } from '../../../libs/host/test/rig.ts'
import { actorOf } from './service-rig.ts'

noLeaks()

const apiVersions = 18
const saslHandshake = 17
const saslAuthenticate = 36
const refused = 58

/** What it was sent to log in with. */
const repeated: string[] = []

function serve(socket: Socket): void {
  onRequest(socket, request => socket.write(framed(answerTo(new Reader(request)))))
}

function answerTo(from: Reader): Writer {
  const [key, , correlation] = [from.int16(), from.int16(), from.int32()]
  from.nullableString()
  const to = new Writer().int32(correlation)
  if (key === apiVersions) {
    const known = [apiVersions, saslHandshake, saslAuthenticate]
    return to.int16(0).array(known, api =>
      to
        .int16(api)
        .int16(0)
        .int16(api === saslHandshake ? 1 : 0),
    )
  }
  if (key === saslHandshake) return to.int16(0).array(['PLAIN', 'OAUTHBEARER'], name => to.string(name))
  const login = from
    .bytes()
    .toString()
    .replaceAll(/[^ -~]/g, ' ')
  repeated.push(login)
  // With this word kafkajs' error is not taken for a refused login, and its message is told.
  return to.int16(refused).string(`no connection for ${login}`).bytes(Buffer.alloc(0))
}

let broker: Server
let port: number
let folder: string
let installation: Installation
let client: Issuer
let pods: Issuer
beforeAll(async () => {
  broker = createServer(serve).listen(0, '127.0.0.1')
  await once(broker, 'listening')
  const address = broker.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-secrets-'))
  installation = await install()
  ;[client, pods] = [await Issuer.start(), await Issuer.start()]
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await client[Symbol.asyncDispose]()
  await pods[Symbol.asyncDispose]()
  broker.close()
  await rm(folder, { recursive: true })
})

const kinds = ['password', 'file', 'client', 'identity']
/** What must be seen nowhere. All are told to the broker, and by it. */
const secrets = /hunter-of-\w+|token-of-\w+/

async function applyRoutes(): Promise<void> {
  const oauth = { mechanism: 'oauthbearer' }
  const auths = {
    password: { sasl: { mechanism: 'plain', secretName: 'login' } },
    file: { sasl: { ...oauth, tokenFile: 'token' } },
    client: { sasl: { ...oauth, tokenEndpoint: `${client.url}/token`, scope: 's', secretName: 'app' } },
    identity: { managedIdentity: { audience: 'https://ns.servicebus.windows.net' } },
  }
  const documents = documentsFrom(
    ['Connection', 'plant', { mqtt: { url: 'mqtt://127.0.0.1:1883' } }],
    ...Object.entries(auths).map(([name, auth]): Parameters<typeof documentsFrom>[number] => {
      return ['Connection', name, { kafka: { brokers: [`127.0.0.1:${port}`], auth } }]
    }),
    ...kinds.map((name): Parameters<typeof documentsFrom>[number] => {
      return ['Route', name, { source: { connection: 'plant', topics: ['a'] }, sink: { connection: name, topic: 't' } }]
    }),
  )
  const bucket = new Bucket(installation.coordinator, 'mr_routes', routesDocument)
  await bucket.create('current', storedDocuments(documents))
}

async function writeSecrets(): Promise<void> {
  const files = {
    'login/username': 'ann',
    'login/password': 'hunter-of-ann',
    'app/client_id': 'me',
    'app/client_secret': 'hunter-of-app',
    token: 'token-of-file',
    assertion: 'token-of-pod',
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await writeFile(path.join(folder, name), content)
  }
  // Another one each time it is asked, as a token that is refused is not used again.
  client.answer = () => ({ body: `{"access_token":"token-of-client${client.calls.length}","expires_in":3600}` })
  pods.answer = () => ({ body: `{"access_token":"token-of-identity${pods.calls.length}","expires_in":3600}` })
}

const instances = () => new Bucket(installation.coordinator, 'mr_instances', instanceDocument)

/** Assigns a lane of each route to the process, once it is there. */
async function assignAll(): Promise<void> {
  const startId = async () => (await instances().read('kafka-egress.one'))?.value.startId
  const found = await eventually(startId, { what: 'a heartbeat', timeout: 60_000 })
  const actors = kinds.map(name => actorOf(name, 1))
  const bucket = new Bucket(installation.coordinator, 'mr_assign', assignmentDocument)
  await bucket.create('kafka-egress.one', { term: 1, startId: found ?? '', actors })
}

test('a broker that repeats passwords and tokens in its errors: none is logged, told in the heartbeat, or on a page', {
  timeout: 120_000,
}, async () => {
  await writeSecrets()
  await applyRoutes()
  await using service = new TestService(new URL('../src/main.ts', import.meta.url).href, {
    MILLRACE_NATS_URL: installation.nats.url,
    MILLRACE_NATS_PASSWORD: passwords['kafka-egress'],
    MILLRACE_INSTANCE: 'one',
    MILLRACE_SECRETS_DIR: folder,
    MILLRACE_LOG_LEVEL: 'trace',
    AZURE_FEDERATED_TOKEN_FILE: path.join(folder, 'assertion'),
    AZURE_AUTHORITY_HOST: pods.url,
    AZURE_CLIENT_ID: 'identity',
    AZURE_TENANT_ID: 'tenant',
  })
  await assignAll()
  const all = ['hunter-of-ann', 'token-of-file', 'token-of-client2', 'token-of-identity2']
  await eventually(() => all.every(secret => repeated.some(login => login.includes(secret))), {
    what: 'each is repeated, and where it is issued, a new one',
    timeout: 60_000,
  })
  const told = async () => (await instances().read('kafka-egress.one'))?.value.actors ?? []
  const isRedacted = ({ problem }: { problem?: { message: string } | undefined }) =>
    problem?.message.includes('[redacted]') === true
  await eventually(async () => (await told()).filter(isRedacted).length === kinds.length, {
    what: "the broker's words in the heartbeat of each",
    timeout: 60_000,
  })
  const url = `http://127.0.0.1:${await service.port()}`
  const pages = await Promise.all(
    ['metrics', 'readyz', 'livez'].map(async page => (await fetch(`${url}/${page}`)).text()),
  )
  for (const text of [JSON.stringify(service.lines), JSON.stringify(await told()), ...pages]) {
    expect(text).not.toMatch(secrets)
  }
  expect(JSON.stringify(service.lines)).toContain('[redacted]')
})
