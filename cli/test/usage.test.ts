import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ended, examples, main, millrace } from './spawn.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Nothing that only a programmer can read. */
function expectNoStack({ out, err }: Ended): void {
  expect(out + err).not.toMatch(/^\s+at .*:\d+/m)
  expect(out + err).not.toMatch(/node:internal|a defect/)
}

test('--help teaches: what, examples, settings, exit codes', async () => {
  const ended = await millrace(['--help'])
  expect(ended).toMatchObject({ code: 0, err: '' })
  for (const part of ['lint', 'apply', 'convert', 'get', 'delete', 'status', 'drain', 'nats-users', 'version']) {
    expect(ended.out).toMatch(new RegExp(`^  ${part}\\b`, 'm'))
  }
  for (const part of ['Examples:', 'MILLRACE_NATS_URL', 'Exit codes:', '-f examples/telemetry'])
    expect(ended.out).toContain(part)
})

test('the version is the package’s', async () => {
  const { version }: { version: string } = JSON.parse(
    await readFile(join(import.meta.dirname, '../package.json'), 'utf8'),
  )
  expect(await millrace(['version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  expect(JSON.parse((await millrace(['version', '-o', 'json'])).out)).toEqual({ version })
})

test.each([
  [[], 'Usage:'],
  [['lnit'], "unknown command 'lnit'"],
  [['lint'], "option '-f, --file <path...>' not specified"],
  [['lint', '-f', 'x', '--verbose'], "unknown option '--verbose'"],
  [['lint', '-f', 'x', '-o', 'yaml'], 'Allowed choices are json'],
  [['get', 'rout'], 'Allowed choices are connection, route'],
  [['delete', 'route'], "missing required argument 'name'"],
  [['drain', 'nowhere'], 'expected <service>.<instance>'],
  [['drain', 'kafka-egress.'], 'expected <service>.<instance>'],
])('%j is refused with exit code 2', async (args, message) => {
  const ended = await millrace(args)
  expect(ended).toMatchObject({ code: 2, out: '' })
  expect(ended.err).toContain(message)
  expectNoStack(ended)
})

test('the example is valid', async () => {
  const ended = await millrace(['lint', '-f', join(examples, 'telemetry')])
  expect(ended).toEqual({ code: 0, out: 'valid: 2 connections, 1 route\n', err: '' })
})

test('documents come from standard input as well', async () => {
  const input = await readFile(join(examples, 'telemetry/connections.yaml'), 'utf8')
  expect(await millrace(['lint', '-f', '-'], { input })).toMatchObject({ code: 0, err: '' })
  expect(await millrace(['lint', '-f', '-'], { input: input.replace('mqtt:', 'mqqt:') })).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringMatching(
      /^stdin:6:3: spec.mqqt: unknown field.*did you mean "mqtt"\?\nmillrace: 1 problem; nothing was changed\n$/,
    ),
  })
})

test('nothing on standard input is no documents', async () => {
  const ended = await millrace(['lint', '-f', '-'])
  expect(ended).toEqual({ code: 2, out: '', err: 'millrace: there are no documents in stdin\n' })
})

test('every problem is told with its place, and counted', async () => {
  const file = join(folder, 'bad.yaml')
  await writeFile(file, 'apiVersion: millrace.dev/v2\nkind: Rout\nmetadata: { name: A }\nspec: {}\n')
  const ended = await millrace(['lint', '-f', file])
  expect(ended).toMatchObject({ code: 2, out: '' })
  expect(ended.err.split('\n')).toEqual([
    expect.stringMatching(`^${file}:1:13: apiVersion: expected one of millrace.dev/v1`),
    expect.stringMatching(`^${file}:2:7: kind: .* did you mean "Route"`),
    expect.stringMatching(`^${file}:3:19: metadata.name: expected a name`),
    'millrace: 3 problems; nothing was changed',
    '',
  ])
})

test('problems for programs are JSON on standard output', async () => {
  const ended = await millrace(['lint', '-o', 'json', '-f', '-'], { input: 'kind: Route' })
  expect(ended.code).toBe(2)
  expect(JSON.parse(ended.out)).toMatchObject({
    routes: [],
    problems: [{ file: 'stdin', line: 1, column: 1, severity: 'error' }, {}, {}],
  })
})

test('files that are not there, not readable, or no files', async () => {
  const empty = join(folder, 'empty')
  await mkdir(empty)
  const huge = join(folder, 'huge.yaml')
  await writeFile(huge, '#'.repeat(3 * 2 ** 20))
  for (const [path, message] of [
    ['/nowhere/x.yaml', 'there is no such file or folder'],
    [empty, 'there is no .yaml, .yml, .json or .properties file in this folder'],
    [huge, 'larger than 1 MiB'],
    ['/dev/zero', 'larger than 1 MiB'],
  ] as const) {
    const ended = await millrace(['lint', '-f', path])
    expect(ended).toMatchObject({ code: 2, out: '' })
    expect(ended.err).toContain(`${path}:`)
    expect(ended.err).toContain(message)
    expectNoStack(ended)
  }
})

test('a reader that goes away is no error', async () => {
  const child = spawn(process.execPath, [main, '--help'])
  child.stdout.destroy()
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect({ err, code }).toEqual({ err: '', code: 0 })
})

test('NATS that is not there is exit code 3, and says what to do', async () => {
  const url = `nats://127.0.0.1:${await freePort()}`
  const ended = await millrace(['get'], { env: { MILLRACE_NATS_URL: url } })
  expect(ended).toMatchObject({ code: 3, out: '' })
  expect(ended.err).toContain(url)
  expect(ended.err).toContain('set MILLRACE_NATS_URL')
  expectNoStack(ended)
})

test('documents are refused before NATS is asked for', async () => {
  const env = { MILLRACE_NATS_URL: `nats://127.0.0.1:${await freePort()}` }
  const begun = performance.now()
  expect(await millrace(['apply', '-f', '-'], { input: 'kind: Route', env })).toMatchObject({ code: 2, out: '' })
  expect(performance.now() - begun).toBeLessThan(8_000)
})

test('a password file that is not there is told by its variable', async () => {
  const ended = await millrace(['get'], { env: { MILLRACE_NATS_PASSWORD_FILE: '/nowhere/pw' } })
  expect(ended).toEqual({ code: 2, out: '', err: "millrace: MILLRACE_NATS_PASSWORD_FILE: /nowhere/pw can't be read\n" })
})
