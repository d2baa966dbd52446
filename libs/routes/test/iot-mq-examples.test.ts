import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '@millrace/routes'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { connector } from '../src/iot-mq/connector.ts'
import { topicMap } from '../src/iot-mq/topic-map.ts'
import { fieldNames } from './field-names.ts'

const examples = join(import.meta.dirname, '../../../examples/iot-mq')
const example = (file: string) => [{ file, text: readFileSync(join(examples, file), 'utf8') }]

test.each([
  ['event-hubs.yaml', ['compression', 'kafkaAcks', 'sharedSubscription', 'consumerGroupId', 'qos']],
  ['kafka.yaml', []],
])('the documents of examples/iot-mq/%s are valid, and what lowers or differs is told', (file, warned) => {
  const { problems, connections, routes } = readDocuments(example(file))
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  const warnings = problems.filter(({ severity }) => severity === 'warning')
  expect(warnings.map(({ message }) => /^[\w.]+?(\w+): /.exec(message)?.[1])).toEqual(warned)
  expect([connections.length, routes.length]).toEqual([2, 2])
})

test('the page about these documents names every field that there is', () => {
  const page = readFileSync(join(examples, 'README.md'), 'utf8')
  const fields = [connector, topicMap].flatMap(schema => fieldNames(z.toJSONSchema(schema, { io: 'input' })))
  expect(fields).toContain('groupMinimumShareNumber')
  expect(fields.filter(field => !new RegExp(`\\b${field}\\b`).test(page))).toEqual([])
})

test('however the documents are spoiled, reading never throws, and every problem has a place in them', () => {
  const [{ text } = { text: '' }] = example('event-hubs.yaml')
  const word = fc.constantFrom(
    '',
    '\n',
    ': ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '"',
    '0',
    '-1',
    'null',
    '${',
    '#',
    'true',
    '  ',
  )
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), word, (at, length, put) => {
      const spoiled = text.slice(0, at) + put + text.slice(at + length)
      const lines = spoiled.split('\n').length
      for (const { line, column } of readDocuments([{ file: 'f', text: spoiled }]).problems) {
        expect(line).toBeGreaterThanOrEqual(1)
        expect(line).toBeLessThanOrEqual(lines)
        expect(column).toBeGreaterThanOrEqual(1)
      }
    }),
    { numRuns: 1000 },
  )
})
