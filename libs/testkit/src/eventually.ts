import { setTimeout as sleep } from 'node:timers/promises'

/** What was waited for did not come in time. `cause` is what the last look threw, if it threw. */
export class NeverHappened extends Error {
  override name = 'NeverHappened'
}

/**
 * Looks again and again until something is so: what tests do instead of sleeping for a while.
 *
 * @param check gives something truthy when it is so; false, undefined or an error means: not yet
 * @param options `what` is waited for, in words; `timeout` and `interval` in milliseconds; 30 s unless told: a busy
 *   machine may take 5 times as long as a calm one
 * @returns what `check` gave
 * @throws NeverHappened
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { what, timeout = 30_000, interval = 20 }: { what: string; timeout?: number; interval?: number },
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout
  for (;;) {
    let failure: unknown
    try {
      const answer = await check()
      if (answer) return answer
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) {
      const reason = failure instanceof Error ? `: ${failure.message}` : ''
      throw new NeverHappened(`${what}: not within ${timeout} ms${reason}`, { cause: failure })
    }
    await sleep(interval)
  }
}
