/** nats-server: the one on the PATH if it is new enough, else built by Go. */
import path from 'node:path'
import { atLeast, run, versionOf } from './command.mjs'
import { exists, installOnce, toolFolder } from './folders.mjs'

const version = '2.15.2'
const minimum = '2.14.3'

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>} `path` is the binary
 */
export async function ensureNatsServer(say) {
  const folder = toolFolder('nats-server', version)
  const binary = path.join(folder, 'nats-server')
  if (await exists(binary)) return { path: binary, version, from: 'built by Go' }
  const found = await versionOf('nats-server', ['--version'])
  if (found !== undefined && atLeast(found, minimum)) return { path: 'nats-server', version: found, from: 'the PATH' }
  if ((await versionOf('go', ['version'])) === undefined) {
    throw new Error(`nats-server: install nats-server ${minimum} or newer, or Go 1.25 or newer to build it`)
  }
  await installOnce(folder, async into => {
    say(`building nats-server ${version} by go install, under a minute`)
    const env = { GOBIN: into, CGO_ENABLED: '0' }
    await run('go', ['install', `github.com/nats-io/nats-server/v2@v${version}`], { env })
  })
  return { path: binary, version, from: 'built by Go' }
}
