/**
 * Which instances are heard and do not hear: their heartbeats go on, but for 30 s have named the same document, which is
 * not the newest. One whose watch is late asks for its document after 15 s; so this one can't read it, or its connection
 * is half broken.
 *
 * Nobody can say what such an instance does next, and it must not keep the lanes of all others waiting. So what it
 * shows in its heartbeat is what counts: that stays with it, untouched; its document is emptied; and what it was told
 * and does not show goes to others. Should it begin that after all, the epochs stop it (R9): its lane and its position
 * have an owner with a newer one. Where an end has no fence of its own, what it has under way by then may come twice.
 */
import type { AssignmentDocument, InstanceDocument } from '@millrace/bus'
import { hasSeen, type Revised } from './situation.ts'

/** Milliseconds for which a live instance names an old document before it counts as deaf. */
const patience = 30_000

/** Remembers since when each instance has named the document that it names, if it is an old one. */
export class Attention {
  readonly #since = new Map<string, { said: string; at: number }>()

  /** Whether a live instance does not hear. `now` is of a monotonic clock, in milliseconds; ask at each look. */
  isDeaf(
    key: string,
    heartbeat: InstanceDocument,
    told: Revised<AssignmentDocument> | undefined,
    now: number,
  ): boolean {
    if (told === undefined || hasSeen(heartbeat, told)) {
      this.#since.delete(key)
      return false
    }
    const said = `${heartbeat.startId} ${heartbeat.term} ${heartbeat.revision}`
    const before = this.#since.get(key)
    if (before?.said === said) return now - before.at >= patience
    this.#since.set(key, { said, at: now })
    return false
  }

  /** It is not live: silence is no sign of deafness. */
  forget(key: string): void {
    this.#since.delete(key)
  }
}
