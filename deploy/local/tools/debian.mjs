/** Debian's packages: where mosquitto comes from, and Java and Maven where they are missing. */
import { access, chmod, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CommandError, run } from './command.mjs'
import { exclusively, root } from './folders.mjs'

/** dpkg asks this file whether a package may start its service; exit code 101 is no. */
const servicePolicy = '/usr/sbin/policy-rc.d'

/**
 * Installs Debian packages. No service is left running or enabled: a mosquitto started by the system would hold port
 * 1883 with a configuration that is not ours.
 * @param {string[]} packages
 * @param {import('./folders.mjs').Say} say
 * @throws {CommandError} not Debian, or not root, or no such package
 */
export async function installPackages(packages, say) {
  await exclusively(path.join(root, '.millrace', 'tools', 'apt.lock'), async () => {
    say(`installing Debian's ${packages.join(', ')}`)
    await withoutServices(() =>
      install(packages).catch(async () => {
        await apt('update')
        await install(packages)
      }),
    )
  })
}

/** @param {string[]} packages */
async function install(packages) {
  await apt('install', '--no-install-recommends', ...packages)
}

/** @param {string[]} args */
async function apt(...args) {
  const options = ['-y', '-o', 'DPkg::Lock::Timeout=300']
  await run('apt-get', [...options, ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' } })
}

/** @param {() => Promise<void>} install */
async function withoutServices(install) {
  const theirs = await access(servicePolicy).then(
    () => true,
    () => false,
  )
  if (theirs) return install()
  await writeFile(servicePolicy, '#!/bin/sh\nexit 101\n').catch(error => {
    throw new CommandError('Debian packages can only be installed by root', { cause: error })
  })
  try {
    await chmod(servicePolicy, 0o755)
    await install()
  } finally {
    await rm(servicePolicy)
  }
}
