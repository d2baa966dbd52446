import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDocuments } from '@millrace/routes'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examples, millrace } from './spawn.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-convert-'))
})
afterAll(() => rm(folder, { recursive: true }))

const properties = (password: string) => `bootstrap.servers=h:9093
security.protocol=SASL_SSL
sasl.mechanism=PLAIN
sasl.jaas.config=a.PlainLoginModule required username="ann" password="${password}";
`

test.each(['event-hubs.yaml', 'kafka.yaml'])('examples/iot-mq/%s is converted to what it is read as', async name => {
  const file = join(examples, 'iot-mq', name)
  const converted = await millrace(['convert', file])
  expect(converted).toMatchObject({ code: 0, err: expect.stringContaining(`${file}:`) })
  const before = readDocuments([{ file, text: await readFile(file, 'utf8') }])
  const after = readDocuments([{ file: 'converted', text: converted.out }])
  expect({ connections: after.connections, routes: after.routes }).toEqual({
    connections: before.connections,
    routes: before.routes,
  })
  const linted = await millrace(['lint', '-f', '-'], { input: converted.out })
  expect(linted).toMatchObject({ code: 0, out: 'valid: 2 connections, 2 routes\n' })
})

test('the examples of clients’ properties are connections', async () => {
  const converted = await millrace(['convert', '-o', 'json', join(examples, 'kafka-properties')])
  expect(converted.code).toBe(0)
  expect(JSON.parse(converted.out)).toMatchObject([
    { kind: 'Connection', metadata: { name: 'cluster' }, spec: { kafka: { tls: { caFile: 'cluster-ca.pem' } } } },
    { metadata: { name: 'event-hubs-identity' }, spec: { kafka: { auth: { managedIdentity: {} } } } },
    { metadata: { name: 'event-hubs' }, spec: { kafka: { auth: { sasl: { secretName: 'event-hubs' } } } } },
  ])
})

test('native documents stay what they are', async () => {
  const { code, out } = await millrace(['convert', join(examples, 'telemetry')])
  expect(code).toBe(0)
  expect(readDocuments([{ file: 'f', text: out }]).routes.map(({ name }) => name)).toEqual(['telemetry'])
})

test('secrets are written where services look for them, for one user alone, and shown nowhere', async () => {
  const file = join(folder, 'lake.properties')
  await writeFile(file, properties('hunter2'))
  const secrets = join(folder, 'secrets')
  const first = await millrace(['convert', file, '--secrets', secrets])
  expect(first.code).toBe(0)
  expect(first.out + first.err).not.toContain('hunter2')
  expect(first.err).toContain(`wrote ${join(secrets, 'lake', 'password')}`)
  expect(await readFile(join(secrets, 'lake', 'username'), 'utf8')).toBe('ann\n')
  expect(await readFile(join(secrets, 'lake', 'password'), 'utf8')).toBe('hunter2\n')
  expect((await stat(join(secrets, 'lake', 'password'))).mode & 0o777).toBe(0o600)
  expect((await stat(join(secrets, 'lake'))).mode & 0o777).toBe(0o700)
  expect(await millrace(['convert', file, '--secrets', secrets])).toMatchObject({ code: 0, out: first.out })

  await writeFile(file, properties('other'))
  const changed = await millrace(['convert', file, '--secrets', secrets])
  expect(changed).toMatchObject({ code: 1, out: '' })
  expect(changed.err).toContain('password was not written: it is there already, with another content')
  expect(await readFile(join(secrets, 'lake', 'password'), 'utf8')).toBe('hunter2\n')
})

test('what is not valid is told, and nothing is written', async () => {
  const file = join(folder, 'bad.properties')
  await writeFile(file, properties('hunter2').replace('SASL_SSL', 'SSL_SASL'))
  const secrets = join(folder, 'none')
  const ended = await millrace(['convert', file, '--secrets', secrets])
  expect(ended).toMatchObject({ code: 2, out: '' })
  expect(ended.err).toContain(`${file}:2:19: security.protocol: expected one of`)
  await expect(stat(secrets)).rejects.toThrow('ENOENT')
})
