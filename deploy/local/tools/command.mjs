/** Runs another program to its end: how the installers here speak to npm, Go, Maven and apt-get. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import path from 'node:path'
import { root } from './folders.mjs'

/** A program that could not be run, or that ended badly: the message holds the last lines it printed. */
export class CommandError extends Error {
  /** @override */
  name = 'CommandError'
}

/**
 * The environment for a tool that keeps caches in the home folder. Where HOME is missing or empty it is one under
 * `.millrace`, so that an installation works for a user who has none.
 * @returns {NodeJS.ProcessEnv}
 */
export function environment() {
  if (process.env.HOME) return process.env
  const home = path.join(root, '.millrace', 'home')
  mkdirSync(home, { recursive: true })
  return { ...process.env, HOME: home }
}

/**
 * Runs a program and gives what it printed on standard output.
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options] `env` is added to {@link environment}
 * @returns {Promise<string>}
 * @throws {CommandError} it is not there, or it exited with a code other than 0
 */
export function run(command, args, { cwd, env } = {}) {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...environment(), ...env }, maxBuffer: 64 * 1024 * 1024 }
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const tail = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n')
      reject(new CommandError(`${command} ${args.join(' ')}: ${reason(error)}\n${tail}`, { cause: error }))
    })
  })
}

/**
 * Installs a package of npm into an empty folder: `<folder>/node_modules`.
 * @param {string} folder
 * @param {string} wanted `name@version`
 */
export async function installFromNpm(folder, wanted) {
  // Not by --prefix: npm would then look for its global settings, such as a proxy's certificate, in that folder.
  await writeFile(path.join(folder, 'package.json'), '{ "private": true }\n')
  await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', wanted], { cwd: folder })
}

/** @param {import('node:child_process').ExecFileException} error */
function reason(error) {
  if (error.code === 'ENOENT') return 'not found'
  if (error.signal) return `ended by ${error.signal} (${constants.signals[error.signal]})`
  return `exit code ${error.code}`
}

/**
 * The version that a program prints, or undefined where it can't be run.
 * @param {string} command
 * @param {string[]} args what makes it print its version
 * @returns {Promise<string | undefined>} like `2.15.2`
 */
export async function versionOf(command, args) {
  const { stdout, stderr } = await new Promise(resolve =>
    execFile(command, args, (_, stdout, stderr) => resolve({ stdout, stderr })),
  )
  return /\d+(?:\.\d+)+/.exec(`${stdout}\n${stderr}`)?.[0]
}

/**
 * Whether a version is at least another: `2.15.2` is at least `2.14.3`.
 * @param {string} version
 * @param {string} minimum
 */
export function atLeast(version, minimum) {
  return version.localeCompare(minimum, 'en', { numeric: true }) >= 0
}
