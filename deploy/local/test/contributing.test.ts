/** The table of bad input in CONTRIBUTING.md names tests: each of them is there, and no group is left out. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const root = new URL('../../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

/** Group, what comes, what happens, and the tests. */
const row = /^\| (\d+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$/gm
const shownBy = /^\[[^\]]+\]\(([^)]+)\): (.+)$/

test('each of the 32 groups of bad input is shown by tests that exist', async () => {
  const rows = [...(await read('CONTRIBUTING.md')).matchAll(row)]
  expect(rows.map(([, group]) => Number(group))).toEqual(Array.from({ length: 32 }, (_, index) => index + 1))
  for (const [, group, tests = ''] of rows) {
    for (const text of tests.split('<br>')) {
      const [, path, name] = shownBy.exec(text) ?? []
      if (path === undefined || name === undefined) throw new Error(`group ${group}: ${text}`)
      expect(await read(path), `group ${group}`).toContain(name)
    }
  }
})
