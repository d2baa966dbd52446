/**
 * A server as a child process: its output goes to a file, it dies with us, and it counts as started only once it has
 * answered.
 *
 * It has a process group of its own, so that Ctrl-C reaches it only through whoever started it, in the right order.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {object} Child
 * @property {number} pid
 * @property {Promise<string>} exited settles when it is gone, with how it ended: `exit code 1`, `SIGKILL`
 * @property {() => boolean} alive
 * @property {(signal?: NodeJS.Signals) => Promise<void>} kill sends a signal (SIGTERM unless told) and waits for the end
 */

/** A server that did not start: it ended, or did not answer in time. The message holds the last lines of its log. */
export class ServerError extends Error {
  /** @override */
  name = 'ServerError'
}

/**
 * Starts a program whose output is appended to a log file.
 * @param {string} command
 * @param {string[]} args
 * @param {{log: string, cwd?: string, env?: NodeJS.ProcessEnv}} options `env` instead of our own environment
 * @returns {Child}
 */
export function start(command, args, { log, cwd, env = process.env }) {
  const output = openSync(log, 'a')
  const child = spawn(...guarded(command, args), { cwd, env, detached: true, stdio: ['ignore', output, output] })
  closeSync(output)
  // A process that stands still takes SIGTERM only once it goes on.
  const stop = () => child.kill('SIGTERM') && child.kill('SIGCONT')
  // Many children are no leak: Node warns of one from the eleventh listener on.
  process.setMaxListeners(process.getMaxListeners() + 1).once('exit', stop)
  /** @type {Promise<string>} */
  const exited = new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  void exited.then(() => process.off('exit', stop).setMaxListeners(process.getMaxListeners() - 1))
  return {
    pid: child.pid ?? -1,
    exited,
    alive: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    kill: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await exited
    },
  }
}

/**
 * A command and its arguments, as `spawn` takes them, so that it gets SIGTERM when we die, however we die. Only Linux
 * can ask its kernel for that; elsewhere they stay as they are.
 * @param {string} command
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
export function guarded(command, args) {
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'TERM', '--', command, ...args]] : [command, args]
}

const setpriv = '/usr/bin/setpriv'

/**
 * Waits until a server that was just started answers; one that does not is killed.
 * @param {Child} child
 * @param {() => Promise<unknown>} ask speaks to it once; throws as long as it does not answer
 * @param {{name: string, log: string, timeout?: number}} options `timeout` in milliseconds
 * @throws {ServerError}
 */
export async function untilAnswers(child, ask, { name, log, timeout = 60_000 }) {
  const deadline = performance.now() + timeout
  while (child.alive()) {
    const answer = await ask().then(
      () => 'yes',
      () => 'no',
    )
    // Asked after the answer, which could have come from another server on the same port.
    if (answer === 'yes' && child.alive()) return
    if (performance.now() > deadline) {
      await child.kill('SIGKILL')
      throw new ServerError(`${name} did not answer within ${timeout} ms\n${lastLines(log)}`)
    }
    await Promise.race([sleep(20), child.exited])
  }
  throw new ServerError(`${name} ended at its start: ${await child.exited}\n${lastLines(log)}`)
}

/** @param {string} log */
function lastLines(log) {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
}
