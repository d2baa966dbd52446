/** What `npm test` counts: pure. */

/** @typedef {{passed: number, failed: number, skipped: number}} Count */

/**
 * What vitest's JSON report says. A file that failed outside its tests (it could not be loaded, a hook failed) counts
 * as one failure, and so does a run that failed, or ended without a report, for a reason that no test shows.
 * @param {{testResults?: {status: string, assertionResults: {status: string}[]}[]}} report
 * @param {number | null} exitCode of vitest
 * @returns {Count}
 */
export function countTests({ testResults = [] }, exitCode) {
  const count = sum(testResults.map(countFile))
  return count.failed === 0 && exitCode !== 0 ? { ...count, failed: 1 } : count
}

/**
 * @param {{status: string, assertionResults: {status: string}[]}} file
 * @returns {Count}
 */
function countFile({ status, assertionResults }) {
  const passed = assertionResults.filter(test => test.status === 'passed').length
  const failed = assertionResults.filter(test => test.status === 'failed').length
  const elsewhere = status === 'failed' && failed === 0 ? 1 : 0
  return { passed, failed: failed + elsewhere, skipped: assertionResults.length - passed - failed }
}

/**
 * @param {Count[]} counts
 * @returns {Count}
 */
export function sum(counts) {
  return counts.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    { passed: 0, failed: 0, skipped: 0 },
  )
}
