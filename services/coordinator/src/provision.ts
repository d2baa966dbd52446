/**
 * What a lane needs before an actor is placed: its route's streams, and its sink's position (ARCHITECTURE.md 3).
 *
 * 1. Streams first, positions second, actors third; taken away in the opposite order (`retire.ts`).
 * 2. So a stream that is missing although there are positions, or a position that is missing although the lane holds
 *    something, was taken away by somebody else: an alarm. It is never made anew, which would hide the loss (R5).
 */
import { AlarmError, type Bus, dataStream, makeRouteStreams, positionKey, readEnd, streamInfo } from '@millrace/bus'
import type { RouteProblems } from './problems.ts'
import type { KnownRoute } from './route-lanes.ts'
import type { Store } from './store.ts'

/** So many lanes are prepared at a time: each takes four questions to nats-server. */
const together = 32
/** Milliseconds until a route that could not be prepared is tried again. */
const againAfter = 5_000

/** Makes what is missing, once, and remembers what is there. */
export class Provision {
  /** Not before this time, of the monotonic clock. */
  readonly #againAt = new Map<string, number>()
  readonly #bus: Bus
  readonly #store: Store
  readonly #replicas: number
  readonly #streams = new Set<string>()
  readonly #lanes = new Set<string>()

  constructor(bus: Bus, store: Store, replicas: number) {
    this.#bus = bus
    this.#store = store
    this.#replicas = replicas
  }

  /** Whether a lane has all that its actors need, as this leader has seen. */
  isReady({ uid }: KnownRoute, lane: string): boolean {
    return this.#lanes.has(`${uid}/${lane}`)
  }

  /** Prepares every route that still gets actors. Rejects with UnknownOutcomeError. */
  async prepareAll(routes: readonly KnownRoute[], problems: RouteProblems): Promise<void> {
    for (const route of routes.filter(({ deleting, retiring }) => !deleting || retiring.length > 0)) {
      const attempt = `${route.uid}@${route.version}`
      if (performance.now() < (this.#againAt.get(attempt) ?? 0)) continue
      this.#againAt.set(attempt, performance.now() + againAfter)
      await problems.attempt({ route: route.name }, 'preparing its lanes', async () => {
        await this.#prepare(route)
        this.#againAt.delete(attempt)
      })
    }
  }

  async #prepare(route: KnownRoute): Promise<void> {
    const streams = `${route.uid}@${route.version}`
    if (!this.#streams.has(streams)) {
      await this.#makeStreams(route)
      this.#streams.add(streams)
    }
    await this.#prepareLanes(
      route,
      [...route.lanes, ...route.retiring].filter(lane => !this.isReady(route, lane)),
    )
  }

  /** All that can be made ready; then the first alarm, if there was one. */
  async #prepareLanes(route: KnownRoute, lanes: readonly string[]): Promise<void> {
    const alarms: AlarmError[] = []
    const prepare = async (lane: string) => {
      try {
        await this.#makePosition(route, lane)
        this.#lanes.add(`${route.uid}/${lane}`)
      } catch (error) {
        if (!(error instanceof AlarmError)) throw error
        alarms.push(error)
      }
    }
    for (let at = 0; at < lanes.length; at += together) await Promise.all(lanes.slice(at, at + together).map(prepare))
    if (alarms[0] !== undefined) throw alarms[0]
  }

  async #makeStreams({ name, uid, spec }: KnownRoute): Promise<void> {
    const begun = [...this.#store.positions.entries.values()].some(({ document }) => document.uid === uid)
    if (begun && (await streamInfo(this.#bus, dataStream(name))) === undefined) {
      throw new AlarmError('stream_missing', `${dataStream(name)} is gone, and with it what it held.`)
    }
    await makeRouteStreams(this.#bus, routeStreams(name, uid, spec, this.#replicas))
  }

  async #makePosition({ name, uid, source, sink }: KnownRoute, lane: string): Promise<void> {
    const key = positionKey({ service: sink, route: name, lane })
    const there = await this.#store.positions.bucket.read(key)
    if (there?.value.uid === uid) return
    if (there !== undefined) {
      throw new AlarmError('position_replaced', `The position ${key} is that of an earlier route of the same name.`)
    }
    const end = await readEnd(this.#bus, { service: source, route: name, lane })
    // A lister opens the lane of a partition that came late before it tells of it: an opening holds no records.
    if (end !== undefined && end.base + end.count > 0) {
      throw new AlarmError('position_missing', `The lane has records, but there is no position ${key}.`)
    }
    const totals = { out: 0, dead: 0, filtered: 0, parked: 0 }
    await this.#store.positions.write(key, { uid, sequence: 0, epoch: 0, totals }, 0)
  }
}

/**
 * The streams that a route asks for. Where they are made, the sequences of its data begin at 1024 for each millisecond
 * since the epoch: above those of any earlier stream of that name, for none stores more in its time, so that a late purge
 * or append that was meant for it never fits; and below 2^53 until the year 2248.
 */
export function routeStreams(
  route: string,
  uid: string,
  { buffer, deadLetters }: KnownRoute['spec'],
  replicas: number,
) {
  const { maxBytes, maxAge } = deadLetters
  const limits = { maxBytes, ...(maxAge === undefined ? {} : { maxAge }) }
  return { route, uid, maxBytes: buffer.maxBytes, firstSequence: Date.now() * 1024, deadLetters: limits, replicas }
}
