import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { certificates, eventually, noLeaks, startNats } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { TestService } from './rig.ts'

noLeaks()

test('a service reaches NATS over TLS by the CA that it is given', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-host-tls-'))
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
  const { ca, server } = await certificates(folder)
  await using nats = await startNats({ extra: `tls { cert_file: "${server.cert}", key_file: "${server.key}" }` })
  const url = `tls://127.0.0.1:${nats.port}`
  await using service = new TestService('./probe.ts', { MILLRACE_NATS_URL: url, MILLRACE_NATS_CA: ca })
  await eventually(() => service.lines.some(({ msg }) => msg === 'NATS is connected'), { what: 'it is connected' })
  await using stranger = new TestService('./probe.ts', { MILLRACE_NATS_URL: url })
  await eventually(() => stranger.lines.some(({ msg }) => msg.includes('certificate')), { what: 'it is told' })
  await using wrong = new TestService('./probe.ts', { MILLRACE_NATS_URL: url, MILLRACE_NATS_CA: `${ca}x` })
  expect(await wrong.exited()).toBe(78)
  expect(wrong.lines[0]?.['problem']).toMatch(/^MILLRACE_NATS_CA: can't be read: ENOENT/)
})
