/**
 * Where tools are kept: `.millrace/tools/<name>-<version>/` of this checkout.
 *
 * Invariant: a folder of that name is whole. A tool is put together in a folder beside and renamed when it is done,
 * so neither a kill nor two processes at once leave half of one. The lock only saves the second process the work.
 */
import { link, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The folder of the checkout. */
export const root = path.resolve(import.meta.dirname, '../../..')

const tools = path.join(root, '.millrace', 'tools')

/** @typedef {(line: string) => void} Say how an installer tells what it is doing, one line a step */

/**
 * The folder of a tool of one version.
 * @param {string} name
 * @param {string} version
 */
export function toolFolder(name, version) {
  return path.join(tools, `${name}-${version}`)
}

/** @param {string} file */
export async function exists(file) {
  return stat(file).then(
    () => true,
    () => false,
  )
}

/**
 * Makes a tool's folder unless it is there already.
 * @param {string} folder from {@link toolFolder}
 * @param {(into: string) => Promise<void>} install puts the tool into an empty folder
 */
export async function installOnce(folder, install) {
  if (await exists(folder)) return
  await mkdir(path.dirname(folder), { recursive: true })
  await exclusively(`${folder}.lock`, async () => {
    if (await exists(folder)) return
    const building = await mkdtemp(`${folder}.building-`)
    try {
      await install(building)
      await rename(building, folder)
    } catch (error) {
      await rm(building, { recursive: true, force: true })
      if (!(await exists(folder))) throw error
    }
  })
}

/**
 * Runs something while no other process that uses the same lock file does. A lock whose process is gone is taken over.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(file, work) {
  const mine = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(mine, String(process.pid))
  try {
    // A link is made whole or not at all, so a lock always names its process.
    while (!(await linked(mine, file))) {
      const owner = Number(await readFile(file, 'utf8').catch(() => 'NaN'))
      if (owner > 0 && !alive(owner)) await rm(file, { force: true })
      else await sleep(100)
    }
    try {
      return await work()
    } finally {
      await rm(file, { force: true })
    }
  } finally {
    await rm(mine, { force: true })
  }
}

/**
 * @param {string} from
 * @param {string} to
 */
async function linked(from, to) {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and another user's.
    return codeOf(error) === 'EPERM'
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
