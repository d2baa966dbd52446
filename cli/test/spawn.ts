import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bareEnvironment } from '@millrace/testkit'

/** How a command ended. */
export interface Ended {
  code: number | null
  out: string
  err: string
}

/** The command's own file. */
export const main = join(import.meta.dirname, '../src/main.ts')

/** Runs `millrace` as a process of its own, with this standard input and nothing of our environment but what every process needs. */
export async function millrace(
  args: string[],
  { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...bareEnvironment(), ...env } })
  child.stdin.end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: typeof code === 'number' ? code : null, out, err }
}

export const examples = join(import.meta.dirname, '../../examples')
