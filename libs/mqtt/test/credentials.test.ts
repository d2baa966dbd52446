import { readFile } from 'node:fs/promises'
import { type Mosquitto, noLeaks, startMosquitto } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { connected, refusal } from './connecting.ts'

noLeaks()

test('a password: the right one passes, the wrong one is refused and not repeated in the problem', async () => {
  await using other = await startMosquitto({ passwords: { ada: 'right-password' } })
  const ending = await refusal(other.port, { username: 'ada', password: 'wrong-password' })
  expect(ending).toMatchObject({ is: 'refused', mayPassLater: false })
  expect(JSON.stringify(ending)).not.toContain('wrong-password')
  const session = await connected(other.port, { username: 'ada', password: 'right-password' })
  await session.disconnect('end')
})

test('TLS: trusted by its authority only, and by its name', async () => {
  await using other = await startMosquitto({ tls: {} })
  const { port, certificates } = tlsOf(other)
  const ca = await readFile(certificates.ca, 'utf8')
  await (await connected(port, { tls: { ca, verify: true } })).disconnect('end')
  await (await connected(port, { tls: { verify: false } })).disconnect('end')
  expect(await refusal(port, { tls: { verify: true } })).toMatchObject({ is: 'lost', problem: { code: 'tls_failed' } })
  const wrongName = await refusal(port, { tls: { ca, servername: 'elsewhere.example', verify: true } })
  expect(wrongName).toMatchObject({ is: 'lost', problem: { code: 'tls_failed' } })
})

test('a client certificate: without it there is no connection', async () => {
  await using other = await startMosquitto({ tls: { clientCertificate: true } })
  const { port, certificates } = tlsOf(other)
  const [ca, cert, key] = await Promise.all(
    [certificates.ca, certificates.client.cert, certificates.client.key].map(file => readFile(file, 'utf8')),
  )
  await (await connected(port, { tls: { ca, cert, key, verify: true } })).disconnect('end')
  expect(await refusal(port, { tls: { ca, verify: true } })).toMatchObject({ is: 'lost' })
  const broken = await refusal(port, { tls: { ca, cert, key: 'not a key', verify: true } })
  expect(broken).toMatchObject({ is: 'lost', problem: { code: 'tls_failed' } })
  expect(JSON.stringify(broken)).not.toContain('not a key')
})

function tlsOf({ tls }: Mosquitto): NonNullable<Mosquitto['tls']> {
  if (tls === undefined) throw new Error('a mosquitto without TLS')
  return tls
}
