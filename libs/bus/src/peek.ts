/** Looking at a lane without taking from it: no consumer is made, and nothing but the right to read messages is needed. */
import type { Bus } from './connect.ts'
import { decodeHeader } from './message.ts'
import { dataStream, type LaneName, laneSubject } from './names.ts'
import type { LaneBatch } from './read.ts'

/**
 * One message of a lane as it stands: the last one, the one with a sequence, or the first one after it. A part of a large
 * batch comes as it is, with its `part`. Undefined where there is none (any more). Rejects with AlarmError `lane_conflict`
 * for a message that is none of ours, and as everything that asks NATS.
 */
export async function peekLane(
  bus: Bus,
  lane: LaneName,
  at: 'last' | { sequence: number } | { after: number },
): Promise<LaneBatch | undefined> {
  const subject = laneSubject(lane)
  const message = await bus.call(bus.jsm.streams.getMessage(dataStream(lane.route), queryOf(subject, at)))
  if (message === null || message.subject !== subject) return undefined
  const { buffer, byteOffset, length } = message.data
  const payload = Buffer.from(buffer, byteOffset, length)
  return { ...decodeHeader(message.header, message.seq), sequence: message.seq, payload }
}

function queryOf(subject: string, at: Parameters<typeof peekLane>[2]) {
  if (at === 'last') return { last_by_subj: subject }
  return 'after' in at ? { seq: at.after + 1, next_by_subj: subject } : { seq: at.sequence }
}
