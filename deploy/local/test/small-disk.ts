/** A disk of a few megabytes, for what happens when it is full: a tmpfs, so it takes root, and Linux. */
import { execFile } from 'node:child_process'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The disk while it is mounted. */
export interface SmallDisk extends AsyncDisposable {
  folder: string
  /** Gives it another size: frees space without touching a file. */
  resize(megabytes: number): Promise<void>
}

/** Mounts it. Rejects where that can't be done: a test must not pass without having had its disk. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
  } catch (cause) {
    await rmdir(folder)
    throw new Error('A tmpfs could not be mounted: run this test as root, with the right to mount.', { cause })
  }
  return {
    folder,
    resize: async megabytes => void (await run('mount', ['-o', `remount,size=${megabytes}m`, folder])),
    async [Symbol.asyncDispose]() {
      await run('umount', [folder])
      await rmdir(folder)
    },
  }
}
