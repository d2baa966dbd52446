/** What a test does to a running Millrace. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Bucket, leaderDocument } from '@millrace/bus'
import { eventually } from '@millrace/testkit'
import type { Kept } from '../up/keep.ts'
import type { Whole } from './whole.ts'

/** Longer than an instance's lease of 5 s, so that its lanes are given away while it stands still. */
const BEYOND_THE_LEASE_MS = 8_000

/** The process that owns the route's source or sink now. */
export async function ownerOf(whole: Whole, role: 'source' | 'sink' | 'lister', route: string): Promise<Kept> {
  const owner = async () => (await whole.actors(route)).find(({ id }) => id.startsWith(`${role}.`))?.instance
  const key = await eventually(owner, { what: `somebody owns the ${role} of ${route}`, timeout: 30_000 })
  return whole.service(key.replace('.', '-'))
}

/** The coordinator that leads now. */
export async function leaderOf(whole: Whole): Promise<Kept> {
  const bucket = new Bucket(whole.bus, 'mr_leader', leaderDocument)
  const entry = await eventually(() => bucket.read('leader'), { what: 'somebody has led', timeout: 30_000 })
  return whole.service(`coordinator-${entry.value.instance}`)
}

export function sigkill({ pid }: Kept): void {
  process.kill(pid, 'SIGKILL')
}

/** SIGSTOP, and SIGCONT when others have taken what it had. */
export async function stopBeyondLease({ pid }: Kept): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await sleep(BEYOND_THE_LEASE_MS)
  process.kill(pid, 'SIGCONT')
}

/** SIGKILL, and started again on its data. */
export async function killAndRestart(server: { kill(): Promise<void>; restart(): Promise<void> }): Promise<void> {
  await server.kill()
  await server.restart()
}
