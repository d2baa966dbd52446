import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../src/index.ts'

const testkit = path.join(import.meta.dirname, '../src/index.ts')
const vitestProgram = path.join(import.meta.dirname, '../node_modules/vitest/vitest.mjs')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-leaks-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Runs a test file whose one test does this and passes, and gives what vitest said of it. */
async function runTest(body: string): Promise<string> {
  const text = `import { noLeaks, startNats, startProxy } from ${JSON.stringify(testkit)}
    noLeaks()
    test('it', async () => { ${body} })`
  await writeFile(path.join(folder, 'it.test.ts'), text)
  const vitest = execFile(process.execPath, [vitestProgram, 'run', '--globals', '--root', folder])
  const said: string[] = []
  for (const output of [vitest.stdout, vitest.stderr]) output?.on('data', text => said.push(String(text)))
  await new Promise(resolve => vitest.once('close', resolve))
  return said.join('')
}

test('a server that is left fails the file, and ends with it', async () => {
  const said = await runTest(`const nats = await startNats(); console.log('pid ' + nats.pid + '.')`)
  expect(said).toMatch(/ProcessWrap.* left/)
  const pid = Number(/pid (\d+)\./.exec(said)?.[1])
  const gone = () =>
    stat(`/proc/${pid}`).then(
      () => false,
      () => true,
    )
  expect(await eventually(gone, { what: 'the server ends' })).toBe(true)
})

test('a port that is left fails the file', async () => {
  expect(await runTest('await startProxy(1)')).toMatch(/TCPServerWrap.* left/)
})

test('what is disposed is not left', async () => {
  expect(await runTest('await using nats = await startNats(); await using proxy = await startProxy(1)')).toMatch(
    /1 passed/,
  )
})
