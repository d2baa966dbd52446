import type { Bus, LaneName } from '@millrace/bus'
import { openWriter, type Problem, type Writer, type WriterOptions } from '../src/index.ts'

/** A writer, and what it said. */
interface Opened {
  writer: Writer
  stored: number[]
  told: (Problem | undefined)[]
  /** The position of each time that there was room again. */
  rooms: number[]
  counts: { in: number; refused: number; pending: number }
  /** The source's position, which its test moves on. */
  at: { position: number }
}

/** Opens a lane for writing, with a share that no test fills unless it says so. */
export async function openLaneFor(
  { bus, signal }: { bus: Bus; signal: AbortSignal },
  lane: LaneName,
  options: Partial<WriterOptions> = {},
): Promise<Opened> {
  const said = { stored: new Array<number>(), told: new Array<Problem | undefined>(), rooms: new Array<number>() }
  const counts = { in: 0, refused: 0, pending: 0 }
  const at = { position: 0 }
  const writer = await openWriter({
    bus,
    lane,
    uid: lane.route.toUpperCase(),
    epoch: 1,
    signal,
    start: previous => previous ?? '0',
    tell: problem => said.told.push(problem),
    share: { records: 10_000, bytes: 32 * 2 ** 20 },
    counts,
    events: {
      stored: ordinal => said.stored.push(ordinal),
      roomAgain: () => said.rooms.push(at.position),
      position: () => String(at.position),
    },
    ...options,
  })
  return { ...said, writer, counts, at }
}
