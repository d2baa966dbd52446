/**
 * Removes from the lanes what their sinks have delivered. Never a lane's newest message: it holds the source's position
 * and the count of all records. So nothing is trimmed beyond the lane's last message, and nothing at all for a position
 * of another uid.
 */
import { type Bus, positionKey, readEnd, trimLane } from '@millrace/bus'
import type { KnownRoute } from './route-lanes.ts'
import type { Store } from './store.ts'

/** Remembers how far each lane was trimmed. */
export class Trimmer {
  /** Messages removed since this process started. */
  removed = 0
  readonly #bus: Bus
  readonly #store: Store
  readonly #trimmed = new Map<string, number>()

  constructor(bus: Bus, store: Store) {
    this.#bus = bus
    this.#store = store
  }

  /** Trims every lane of a route to what was committed. Rejects with UnknownOutcomeError, AlarmError. */
  async trim({ name, uid, source, sink, lanes, retiring }: KnownRoute): Promise<void> {
    for (const lane of [...lanes, ...retiring]) {
      const position = this.#store.positions.entries.get(positionKey({ service: sink, route: name, lane }))?.document
      if (position?.uid !== uid || position.sequence <= (this.#trimmed.get(`${uid}/${lane}`) ?? 0)) continue
      const laneName = { service: source, route: name, lane }
      const end = await readEnd(this.#bus, laneName)
      if (end === undefined || position.sequence > end.sequence) continue
      this.removed += await trimLane(this.#bus, laneName, position.sequence)
      this.#trimmed.set(`${uid}/${lane}`, position.sequence)
    }
  }
}
