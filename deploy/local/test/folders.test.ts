import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { exclusively, installOnce } from '../tools/folders.mjs'

let tools: string
let folder: string
beforeEach(async () => {
  tools = await mkdtemp(path.join(tmpdir(), 'millrace-tools-'))
  folder = path.join(tools, 'tool-1.0')
})
afterEach(() => rm(tools, { recursive: true }))

const install = (into: string) => writeFile(path.join(into, 'tool'), 'whole')

test('a tool is installed once, however many ask at once', async () => {
  let installations = 0
  const counted = async (into: string) => {
    installations++
    await install(into)
  }
  await Promise.all([installOnce(folder, counted), installOnce(folder, counted), installOnce(folder, counted)])
  await installOnce(folder, counted)
  expect(installations).toBe(1)
  expect(await readdir(folder)).toEqual(['tool'])
  expect(await readdir(tools)).toEqual(['tool-1.0'])
})

test('an installation that fails leaves nothing, and can be tried again', async () => {
  const failing = async (into: string) => {
    await install(into)
    throw new Error('half way')
  }
  await expect(installOnce(folder, failing)).rejects.toThrow('half way')
  expect(await readdir(tools)).toEqual([])
  await installOnce(folder, install)
  expect(await readdir(folder)).toEqual(['tool'])
})

test('a lock whose process is gone is taken over', async () => {
  const lock = path.join(tools, 'lock')
  // Higher than any process id of Linux.
  await writeFile(lock, '2000000000')
  expect(await exclusively(lock, async () => 'done')).toBe('done')
  expect(await readdir(tools)).toEqual([])
})

test('a lock that is held is waited for', async () => {
  const lock = path.join(tools, 'lock')
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const one = exclusively(lock, async () => {
    started.resolve()
    await first.promise
    order.push('first')
  })
  await started.promise
  const two = exclusively(lock, async () => order.push('second'))
  first.resolve()
  await Promise.all([one, two])
  expect(order).toEqual(['first', 'second'])
})
