import { afterAll } from 'vitest'
import { eventually } from './eventually.ts'

/** What Node calls the resources that a test must not leave behind: child processes, connections, listening ports. */
const kinds = ['ProcessWrap', 'TCPSocketWrap', 'TCPServerWrap', 'TLSWrap']

/**
 * Fails the test file if, when all else in it is done, it has left a child process, a connection or a listening port
 * behind. Call it once, first in the file: hooks that are registered later run before it.
 */
export function noLeaks(): void {
  const before = count()
  afterAll(async () => {
    await eventually(() => left(before).length === 0, {
      what: `child processes, connections and ports of this test file closed (${left(before).join(', ')} left)`,
      timeout: 5_000,
    })
  })
}

function left(before: Map<string, number>): string[] {
  const now = count()
  return kinds.filter(kind => (now.get(kind) ?? 0) > (before.get(kind) ?? 0))
}

/** How many of each kind keep this process alive now. */
function count(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}
