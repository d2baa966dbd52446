import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '@millrace/routes'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { connectionSpec } from '../src/connection.ts'
import { routeSpecs } from '../src/route.ts'
import { fieldNames } from './field-names.ts'

const examples = join(import.meta.dirname, '../../../examples')

const filesOf = (folder: string) =>
  readdirSync(join(examples, folder))
    .filter(name => name.endsWith('.yaml'))
    .map(name => ({ file: name, text: readFileSync(join(examples, folder, name), 'utf8') }))

test.each(['telemetry', 'commands', '.'])(
  'the documents of examples/%s are valid, and nothing is warned of',
  folder => {
    const { problems, routes, connections } = readDocuments(filesOf(folder))
    expect(problems).toEqual([])
    expect(routes.length).toBeGreaterThan(0)
    expect(connections.length).toBeGreaterThan(0)
  },
)

test('the reference names every field that there is', () => {
  const schemas = [connectionSpec, ...Object.values(routeSpecs).flatMap(bySink => Object.values(bySink))]
  const fields = schemas.flatMap(schema => fieldNames(z.toJSONSchema(schema, { io: 'input' })))
  expect(fields).toContain('maxRecords')
  const text = filesOf('.')
    .map(file => file.text)
    .join()
  expect(fields.filter(field => !new RegExp(`\\b${field}:\\s`).test(text))).toEqual([])
})
