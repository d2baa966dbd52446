import { readFile } from 'node:fs/promises'
import { settingsTable } from '@millrace/host'
import { expect, test } from 'vitest'
import { service } from '../src/service.ts'

test("the README's table of settings is what the service reads", async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  expect(rowsOf(readme)).toEqual(expect.arrayContaining(rowsOf(settingsTable(service.settings))))
})

/** The rows of tables, without the spaces and dashes that make them even. */
function rowsOf(markdown: string): string[] {
  const rows = markdown.split('\n').filter(line => line.startsWith('|'))
  return rows.map(row => row.replaceAll(/[ -]/g, ''))
}
