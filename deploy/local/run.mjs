/**
 * Runs a program of this repository on a bare machine: `node deploy/local/run.mjs PROGRAM.ts [ARGUMENT ...]`.
 * Brings Node 26 and the dependencies first; where they are there already, that takes no time.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import path from 'node:path'
import { ensureDependencies, ensureTools, root } from './index.mjs'

const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`)
const [program = '', ...args] = process.argv.slice(2)
const { node } = await ensureTools(['node'], say)
await ensureDependencies(say, node.path)
const child = spawn(node.path, [path.join(root, program), ...args], { stdio: 'inherit' })
// Ctrl-C reaches both of us: the program decides. What is sent to this process alone is passed on.
process.on('SIGINT', () => undefined)
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal))
child.once('exit', (code, signal) => process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
