import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ServerError, start, untilAnswers } from '../servers/child.mjs'

noLeaks()

let folder: string
let log: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-child-'))
  log = path.join(folder, 'log')
})
afterAll(() => rm(folder, { recursive: true }))

const never = () => Promise.reject(new Error('no answer'))

test('a program that ends at its start is told with what it wrote', async () => {
  const child = start('sh', ['-c', 'echo the reason >&2; exit 3'], { log })
  const waiting = untilAnswers(child, never, { name: 'it', log })
  await expect(waiting).rejects.toThrow(/it ended at its start: exit code 3\nthe reason/)
})

test('a program that does not answer is killed', async () => {
  const child = start('sleep', ['60'], { log })
  const waiting = untilAnswers(child, never, { name: 'it', log, timeout: 50 })
  await expect(waiting).rejects.toThrow(ServerError)
  expect(child.alive()).toBe(false)
  expect(await child.exited).toBe('SIGKILL')
})

test('a program that is not there is told', async () => {
  const child = start('no-such-program', [], { log })
  await expect(untilAnswers(child, never, { name: 'it', log })).rejects.toThrow(/it ended at its start/)
})

test.each(['process.exit()', "process.kill(process.pid, 'SIGKILL')"])('a child dies with us: %s', async how => {
  const program = `
    const { start } = await import(${JSON.stringify(path.resolve(import.meta.dirname, '../servers/child.mjs'))})
    console.log(start('sleep', ['60'], { log: ${JSON.stringify(log)} }).pid)
    setTimeout(() => ${how}, 100)`
  const us = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed] = await once(us.stdout, 'data')
  const pid = Number(String(printed))
  expect(alive(pid)).toBe(true)
  await eventually(() => !alive(pid), { what: 'the child is gone' })
})

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
