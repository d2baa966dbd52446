import { expect, test } from 'vitest'
import { countTests } from '../count.mjs'

const results = (...statuses: string[]) => statuses.map(status => ({ status }))

test('tests are counted over all files', () => {
  const report = {
    testResults: [
      { status: 'passed', assertionResults: results('passed', 'skipped', 'todo') },
      { status: 'failed', assertionResults: results('passed', 'failed') },
    ],
  }
  expect(countTests(report, 1)).toEqual({ passed: 2, failed: 1, skipped: 2 })
})

test('a file that failed outside its tests is a failure', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: results('passed') },
  ]
  expect(countTests({ testResults }, 1)).toEqual({ passed: 1, failed: 2, skipped: 0 })
})

test('a run that failed without a report is a failure', () => {
  expect(countTests({}, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  expect(countTests({}, null)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

test('an unhandled error fails the run though every test passed', () => {
  const testResults = [{ status: 'passed', assertionResults: results('passed') }]
  expect(countTests({ testResults }, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 })
  expect(countTests({ testResults }, 0)).toEqual({ passed: 1, failed: 0, skipped: 0 })
})
