/**
 * What a lane needs before an actor is placed: its route's streams, and its sink's position (DESIGN.md 3).
 *
 * 1. Streams first, positions second, actors third; taken away in the opposite order (`retire.ts`).
 * 2. So a stream that is missing although there are positions, or a position that is missing although the lane holds
 *    something, was taken away by somebody else: an alarm. It is never made anew, which would hide the loss (R5).
 */
import {
  AlarmError,
  type Bus,
  dataStream,
  makeRouteStreams,
  positionKey,
  type Problem,
  readEnd,
  streamInfo,
} from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KnownRoute } from './route-lanes.ts'
import type { Store } from './store.ts'

/** Milliseconds until a route that could not be prepared is tried again. */
const againAfter = 5_000

/** Makes what is missing, once, and remembers what is there. */
export class Provision {
  /** What stands in the way, by route. */
  readonly problems = new Map<string, Problem>()
  readonly #triedAt = new Map<string, number>()
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

  /** Prepares every route that still gets actors; one that can't be does not stop the others. */
  async prepareAll(routes: readonly KnownRoute[]): Promise<void> {
    for (const name of this.problems.keys()) if (!routes.some(route => route.name === name)) this.problems.delete(name)
    for (const route of routes.filter(({ deleting, retiring }) => !deleting || retiring.length > 0)) {
      const attempt = `${route.uid}@${route.version}`
      if (performance.now() < (this.#triedAt.get(attempt) ?? Number.NEGATIVE_INFINITY) + againAfter) continue
      try {
        await this.#prepare(route)
        this.problems.delete(route.name)
      } catch (error) {
        if (!(error instanceof AlarmError || error instanceof JetStreamApiError)) throw error
        this.#triedAt.set(attempt, performance.now())
        const code = error instanceof AlarmError ? error.code : 'stream_refused'
        this.problems.set(route.name, { code, message: `Route ${route.name}: ${error.message}` })
      }
    }
  }

  async #prepare(route: KnownRoute): Promise<void> {
    const streams = `${route.uid}@${route.version}`
    if (!this.#streams.has(streams)) {
      await this.#makeStreams(route)
      this.#streams.add(streams)
    }
    for (const lane of [...route.lanes, ...route.retiring].filter(lane => !this.isReady(route, lane))) {
      await this.#makePosition(route, lane)
      this.#lanes.add(`${route.uid}/${lane}`)
    }
  }

  async #makeStreams({ name, uid, spec }: KnownRoute): Promise<void> {
    const begun = [...this.#store.positions.entries.values()].some(({ document }) => document.uid === uid)
    if (begun && (await streamInfo(this.#bus, dataStream(name))) === undefined) {
      throw new AlarmError('stream_missing', `${dataStream(name)} is gone, and with it what route ${name} had stored.`)
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
    if ((await readEnd(this.#bus, { service: source, route: name, lane })) !== undefined) {
      throw new AlarmError('position_missing', `The lane has records, but there is no position ${key}.`)
    }
    const totals = { out: 0, dead: 0, filtered: 0, parked: 0 }
    await this.#store.positions.write(key, { uid, sequence: 0, epoch: 0, totals }, 0)
  }
}

/** The streams that a route asks for. */
export function routeStreams(
  route: string,
  uid: string,
  { buffer, deadLetters }: KnownRoute['spec'],
  replicas: number,
) {
  const { maxBytes, maxAge } = deadLetters
  const limits = { maxBytes, ...(maxAge === undefined ? {} : { maxAge }) }
  return { route, uid, maxBytes: buffer.maxBytes, deadLetters: limits, replicas }
}
