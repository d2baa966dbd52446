import { readFile } from 'node:fs/promises'
import { settingsMissingFrom } from '@millrace/host'
import { expect, test } from 'vitest'
import { service } from '../src/service.ts'

test("the README's table of settings is what the service reads", async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  expect(settingsMissingFrom(readme, service.settings)).toEqual([])
})
