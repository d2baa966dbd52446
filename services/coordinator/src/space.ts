/** How much JetStream has left for streams, which reserve their bytes when they are made. */
import type { Bus } from '@millrace/bus'
import { z } from 'zod'

const jsz = z.object({ config: z.object({ max_storage: z.number() }), reserved_storage: z.number() })

/**
 * Bytes that can still be reserved: by the account's limit, or where it has none by what nats-server says of itself at
 * `/jsz` of its monitoring URL. Undefined where neither is known.
 */
export async function spaceLeft(bus: Bus, monitorUrl: string | undefined): Promise<number | undefined> {
  const { limits, reserved_storage } = await bus.call(bus.jsm.getAccountInfo())
  if (limits.max_storage > 0) return Math.max(0, limits.max_storage - reserved_storage)
  if (monitorUrl === undefined) return undefined
  try {
    const answer = await fetch(new URL('/jsz', monitorUrl), { signal: AbortSignal.timeout(2_000) })
    const { config, reserved_storage: reserved } = jsz.parse(await answer.json())
    return Math.max(0, config.max_storage - reserved)
  } catch {
    return undefined
  }
}
