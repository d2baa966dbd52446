/**
 * Removes from the lanes what their sinks have delivered. Never a lane's newest message: it holds the source's position
 * and the count of all records. So nothing is trimmed beyond the lane's last message, and nothing at all for a position
 * of another uid, or one that does not fit the lane's message there: after a restore of an older stream, what stands
 * before it was never delivered.
 */
import { type Bus, checkPlace, positionKey, readEnd, recordsBehind, streamInfo, trimLane } from '@millrace/bus'
import type { RouteProblems } from './problems.ts'
import type { KnownRoute } from './route-lanes.ts'
import type { Store } from './store.ts'

/** Remembers how far each lane was trimmed. */
export class Trimmer {
  /** Messages removed in this term. */
  removed = 0
  readonly #bus: Bus
  readonly #store: Store
  readonly #trimmed = new Map<string, number>()
  /** The newest position, of any lane, up to which all was trimmed: where that is the bucket's last, there is nothing to do. */
  #handled = -1

  constructor(bus: Bus, store: Store) {
    this.#bus = bus
    this.#store = store
  }

  /** Trims every lane of these routes to what was committed. Rejects with UnknownOutcomeError. */
  async trim(routes: readonly KnownRoute[], problems: RouteProblems): Promise<void> {
    const newest = (await streamInfo(this.#bus, 'KV_mr_positions'))?.state.last_seq ?? 0
    if (newest === this.#handled) return
    const { positions } = this.#store
    await positions.reload(AbortSignal.timeout(10_000))
    // What was listed, which may be behind the bucket's last; and only if no lane has to be tried again.
    const listed = Math.max(0, ...[...positions.entries.values()].map(({ revision }) => revision))
    let failed = false
    for (const route of routes) {
      for (const lane of [...route.lanes, ...route.retiring]) {
        const done = await problems.attempt({ route: route.name, lane }, 'trimming', () => this.#trimLane(route, lane))
        if (done === undefined) failed = true
      }
    }
    if (!failed) this.#handled = listed
  }

  async #trimLane({ name, uid, source, sink }: KnownRoute, lane: string): Promise<true> {
    const position = this.#store.positions.entries.get(positionKey({ service: sink, route: name, lane }))?.document
    if (position?.uid !== uid || position.sequence <= (this.#trimmed.get(`${uid}/${lane}`) ?? 0)) return true
    const laneName = { service: source, route: name, lane }
    const end = await readEnd(this.#bus, laneName)
    if (end === undefined || position.sequence > end.sequence) return true
    await checkPlace(this.#bus, laneName, position, recordsBehind(position.totals))
    this.removed += await trimLane(this.#bus, laneName, position.sequence)
    this.#trimmed.set(`${uid}/${lane}`, position.sequence)
    return true
  }
}
