/** Node 26, which runs everything but this folder: the npm package that holds the plain binary for this platform. */
import path from 'node:path'
import { installFromNpm } from './command.mjs'
import { installOnce, toolFolder } from './folders.mjs'

const version = '26.10.0'

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>} `path` is the binary
 */
export async function ensureNode(say) {
  if (process.versions.node.startsWith('26.')) {
    return { path: process.execPath, version: process.versions.node, from: 'the one that runs this' }
  }
  const name = `node-${process.platform}-${process.arch}`
  const folder = toolFolder('node', version)
  await installOnce(folder, async into => {
    say(`installing Node ${version} from npm`)
    // The package `node` itself gets its binary by an install script, which npm may block; this one is the binary.
    await installFromNpm(into, `${name}@${version}`)
  })
  return { path: path.join(folder, 'node_modules', name, 'bin', 'node'), version, from: "npm's package" }
}
