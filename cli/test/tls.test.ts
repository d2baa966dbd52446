import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificates, startNats } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { millrace } from './spawn.ts'

test('NATS over TLS is reached by the CA that MILLRACE_NATS_CA names; a file that is none is exit code 2', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-cli-tls-'))
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
  const { ca, server } = await certificates(folder)
  await using nats = await startNats({ extra: `tls { cert_file: "${server.cert}", key_file: "${server.key}" }` })
  const get = (env: Record<string, string>) =>
    millrace(['get'], { env: { MILLRACE_NATS_URL: `tls://127.0.0.1:${nats.port}`, ...env } })
  // Nobody has made the buckets yet: it is NATS that says so.
  expect(await get({ MILLRACE_NATS_CA: ca })).toMatchObject({ code: 1, err: expect.stringContaining('NATS refused') })
  expect(await get({})).toMatchObject({ code: 3, err: expect.stringContaining('certificate') })
  expect(await get({ MILLRACE_NATS_CA: `${ca}x` })).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^millrace: MILLRACE_NATS_CA: can't be read: ENOENT/),
  })
})
