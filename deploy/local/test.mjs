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

const checks = {
  format: ['biome', 'format', '.'],
  types: ['tsc', '-p', '.'],
  lint: ['oxlint', '--type-aware'],
  unused: ['knip'],
}

const tools = await ensureTools(['node', 'nats-server', 'mosquitto', 'kafka'])
for (const [name, tool] of Object.entries(tools)) console.log(`${name} ${tool.version}: ${tool.from}, ${tool.path}`)
await ensureDependencies(line => console.log(line), tools.node.path)

/** @type {import('./count.mjs').Count[]} */
const counts = []
for (const [name, command] of Object.entries(checks)) counts.push(await check(name, command))
counts.push(await tests())

const total = sum(counts)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1

/**
 * Runs one static check, which counts as one test.
 * @param {string} name
 * @param {string[]} command
 * @returns {Promise<import('./count.mjs').Count>}
 */
async function check(name, command) {
  console.log(`\n--- ${name}: ${command.join(' ')}`)
  const code = await execute(command)
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
}

/** @returns {Promise<import('./count.mjs').Count>} */
async function tests() {
  const report = path.join(root, '.millrace', 'test', 'vitest.json')
  await mkdir(path.dirname(report), { recursive: true })
  await rm(report, { force: true })
  console.log('\n--- tests: vitest run')
  const code = await execute(['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
  const text = await readFile(report, 'utf8').catch(() => '{}')
  return countTests(JSON.parse(text), code)
}

/**
 * Runs a program of the dependencies under Node 26, and gives its exit code.
 * @param {string[]} command
 * @returns {Promise<number | null>}
 */
function execute([program = '', ...args]) {
  const bin = path.join(root, 'node_modules', '.bin')
  const PATH = [path.dirname(tools.node.path), bin, process.env.PATH].join(path.delimiter)
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(bin, program), args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } })
    child.once('error', reject)
    child.once('exit', resolve)
  })
}
