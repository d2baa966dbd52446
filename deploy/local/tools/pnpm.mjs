/** pnpm, and by it the dependencies of this repository. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { installFromNpm, run } from './command.mjs'
import { exclusively, installOnce, root, toolFolder } from './folders.mjs'

const version = '12.21.0'

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>} `path` is the binary
 */
async function ensurePnpm(say) {
  const folder = toolFolder('pnpm', version)
  await installOnce(folder, async into => {
    say(`installing pnpm ${version} from npm`)
    await installFromNpm(into, `pnpm@${version}`)
  })
  return { path: path.join(folder, 'node_modules', '.bin', 'pnpm'), version, from: "npm's package" }
}

/**
 * Installs the dependencies as `pnpm-lock.yaml` names them, unless that was done for these very files.
 * @param {import('./folders.mjs').Say} say
 * @param {string} node the path of Node 26, for install scripts
 */
export async function ensureDependencies(say, node) {
  const stamp = path.join(root, 'node_modules', '.millrace-lock')
  if (await upToDate(stamp)) return
  const pnpm = await ensurePnpm(say)
  await exclusively(path.join(root, '.millrace', 'tools', 'dependencies.lock'), async () => {
    if (await upToDate(stamp)) return
    say('installing dependencies')
    const PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`
    await run(pnpm.path, ['install', '--frozen-lockfile'], { cwd: root, env: { PATH, CI: 'true' } })
    await writeFile(stamp, await wanted())
  })
}

/** @param {string} stamp */
async function upToDate(stamp) {
  return (await readFile(stamp, 'utf8').catch(() => '')) === (await wanted())
}

async function wanted() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(await readFile(path.join(root, file)))
  return hash.digest('hex')
}
