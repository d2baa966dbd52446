import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { readSettings, settingsTable } from '../src/settings.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

const own = {
  natsMonitorUrl: z.url().optional().describe('Where NATS tells of itself.'),
  maxLanes: z.coerce.number().int().min(1).describe('How many.'),
}

test('what is not set has its default, and what is empty is not set', () => {
  const read = readSettings(own, { MILLRACE_MAX_LANES: '3', MILLRACE_NATS_URL: '', MILLRACE_NATS_MONITOR_URL: '' })
  expect(read).toMatchObject({ settings: { natsUrl: 'nats://127.0.0.1:4222', httpHost: '127.0.0.1', maxLanes: 3 } })
  expect('settings' in read && read.settings.instance).toMatch(/^[A-Za-z0-9_-]+$/)
})

test('every problem is listed by its variable, and no value is shown', () => {
  const read = readSettings(own, {
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
    MILLRACE_NATS_URL: 'nats://me:hunter2@host',
    MILLRACE_NATS_PASSWORD: 'hunter2',
    MILLRACE_NATS_PASSWORD_FILE: '/run/secrets/nats',
    MILLRACE_HTTP_PORT: '65536',
    MILLRACE_INSTANCE: 'a.b',
    MILLRACE_LOG_LEVEL: 'loud',
    MILLRACE_NATS_MONITOR_URL: 'not a url',
  })
  const problems = 'problems' in read ? read.problems : []
  expect(problems.map(problem => problem.split(':')[0])).toEqual([
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'MILLRACE_NATS_PASSWORD',
    'MILLRACE_NATS_URL',
    'MILLRACE_INSTANCE',
    'MILLRACE_HTTP_PORT',
    'MILLRACE_LOG_LEVEL',
    'MILLRACE_NATS_MONITOR_URL',
    'MILLRACE_MAX_LANES',
  ])
  expect(problems.join()).not.toContain('hunter2')
})

const good = (url: string) => 'settings' in readSettings({}, { MILLRACE_NATS_URL: url })

test('several NATS servers may be named; other protocols and users in the URL may not', () => {
  expect(['nats://a', 'nats://a:4222, tls://b:4222'].filter(good)).toHaveLength(2)
  expect(['http://a', 'a:4222', 'nats://me@a', 'nats://a,', 'nats://'].filter(good)).toEqual([])
})

test('a secret may come from a file, whose last line end does not belong to it', () => {
  const file = path.join(folder, 'password')
  writeFileSync(file, ' hunter2 \n')
  const read = readSettings({}, { MILLRACE_NATS_PASSWORD_FILE: file })
  expect(read).toMatchObject({ settings: { natsPassword: ' hunter2 ' }, secrets: [' hunter2 '] })
  expect(readSettings({}, { MILLRACE_NATS_PASSWORD_FILE: `${file}x` })).toMatchObject({
    problems: [expect.stringMatching(/^MILLRACE_NATS_PASSWORD_FILE: can't be read: ENOENT/)],
  })
})

test('the table shows each variable with its default, and not the host that it was made on', () => {
  expect(settingsTable(own).split('\n')).toEqual(
    expect.arrayContaining([
      '| variable | default | what it is |',
      '| `MILLRACE_NATS_URL` | `nats://127.0.0.1:4222` | NATS server, or several with commas between. |',
      expect.stringMatching(/^\| `MILLRACE_NATS_PASSWORD` or `MILLRACE_NATS_PASSWORD_FILE` \|  \| Password /),
      expect.stringMatching(/^\| `MILLRACE_INSTANCE` \| the host name \| Name /),
      '| `MILLRACE_MAX_LANES` | required | How many. |',
    ]),
  )
})
