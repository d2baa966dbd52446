/** mosquitto: the one on the machine, else Debian's. */
import { atLeast, CommandError, versionOf } from './command.mjs'
import { installPackages } from './debian.mjs'

const minimum = '2.0'

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>} `path` is the broker; mosquitto_pub and mosquitto_sub are on the PATH
 */
export async function ensureMosquitto(say) {
  const before = await installed()
  if (before !== undefined) return before
  try {
    await installPackages(['mosquitto', 'mosquitto-clients'], say)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new Error(`mosquitto: install mosquitto ${minimum} or newer with its clients`, { cause: error })
  }
  const after = await installed()
  if (after === undefined) throw new Error(`mosquitto: this system's is older than ${minimum}; install a newer one`)
  return after
}

async function installed() {
  if ((await versionOf('mosquitto_pub', ['--version'])) === undefined) return undefined
  // Debian keeps it in a folder that is not on every user's PATH.
  for (const path of ['mosquitto', '/usr/sbin/mosquitto']) {
    const version = await versionOf(path, ['-h'])
    if (version !== undefined && atLeast(version, minimum)) return { path, version, from: 'this system' }
  }
  return undefined
}
