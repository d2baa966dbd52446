/**
 * `npm test`: all that CI checks, on a machine that has nothing yet.
 *
 * Its last line counts tests and static checks together: `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { countTests, sum } from './count.mjs'
import { ensureDependencies, ensureTools, root } from './index.mjs'

/** Each counts as one test. */
const checks = {
  format: ['biome', 'format', '.'],
  types: ['tsc', '-p', '.'],
  lint: ['oxlint', '--type-aware'],
  unused: ['knip'],
}

const { passed, failed, skipped } = await everything().catch(problem => {
  console.error(problem instanceof Error ? problem.message : problem)
  return { passed: 0, failed: 1, skipped: 0 }
})
process.exitCode = failed === 0 ? 0 : 1
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)

/** @returns {Promise<import('./count.mjs').Count>} */
async function everything() {
  const installing = ensureTools(['node', 'nats-server', 'mosquitto', 'kafka'])
  const dependencies = ensureTools(['node']).then(({ node }) =>
    ensureDependencies(line => console.log(line), node.path),
  )
  // Neither may say anything below the last line.
  await Promise.allSettled([installing, dependencies])
  await dependencies
  const tools = await installing
  for (const [name, tool] of Object.entries(tools)) console.log(`${name} ${tool.version}: ${tool.from}, ${tool.path}`)
  const counts = []
  for (const [name, command] of Object.entries(checks)) counts.push(await check(name, command, tools.node.path))
  return sum([...counts, await tests(tools.node.path)])
}

/**
 * @param {string} name
 * @param {string[]} command
 * @param {string} node
 * @returns {Promise<import('./count.mjs').Count>}
 */
async function check(name, command, node) {
  console.log(`\n--- ${name}: ${command.join(' ')}`)
  const ok = (await execute(command, node)) === 0
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
}

/**
 * @param {string} node
 * @returns {Promise<import('./count.mjs').Count>}
 */
async function tests(node) {
  const report = path.join(root, '.millrace', 'test', 'vitest.json')
  await mkdir(path.dirname(report), { recursive: true })
  await rm(report, { force: true })
  console.log('\n--- tests: vitest run')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const code = await execute(['vitest', 'run', ...reporters], node)
  return countTests(JSON.parse(await readFile(report, 'utf8').catch(() => '{}')), code)
}

/**
 * Runs a program of the dependencies under Node 26, and gives its exit code.
 * @param {string[]} command
 * @param {string} node
 * @returns {Promise<number | null>}
 */
function execute([program = '', ...args], node) {
  const bin = path.join(root, 'node_modules', '.bin')
  const PATH = [path.dirname(node), bin, process.env.PATH].join(path.delimiter)
  const env = { ...process.env, PATH }
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(bin, program), args, { cwd: root, stdio: 'inherit', env })
    child.once('error', reject)
    child.once('exit', resolve)
  })
}
