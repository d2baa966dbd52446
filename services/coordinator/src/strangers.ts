/**
 * Messages in routes' streams that Millrace did not write. Nobody reads what is on a subject that is no lane's, and it
 * takes room from the route; a lane's own end stops the lane. Both are told, and never touched.
 */
import {
  AlarmError,
  type Bus,
  dataStream,
  type LaneName,
  laneOfSubject,
  positionKey,
  readEnd,
  streamInfo,
} from '@millrace/bus'
import type { RouteProblems } from './problems.ts'
import { type KnownRoute, wantedLanes } from './route-lanes.ts'
import type { Store } from './store.ts'

/** Milliseconds between looks: each asks nats-server once a route, and once a lane. */
const lookEvery = 15_000

/** So many subjects are named, each with at most so many characters: strangers chose them. */
const shownSubjects = 3
const shownCharacters = 100

/** Looks through the streams from time to time. */
export class Strangers {
  readonly #bus: Bus
  readonly #store: Store
  #lookAt = 0

  constructor(bus: Bus, store: Store) {
    this.#bus = bus
    this.#store = store
  }

  /** Looks where it is time to; tells what it finds as a problem of the route. Rejects with UnknownOutcomeError. */
  async look(routes: readonly KnownRoute[], problems: RouteProblems): Promise<void> {
    if (performance.now() < this.#lookAt) return
    for (const route of routes) {
      await problems.attempt({ route: route.name }, 'looking for messages of others', () => this.#checkSubjects(route))
      for (const lane of [...route.lanes, ...route.retiring]) {
        const name = { service: route.source, route: route.name, lane }
        await problems.attempt({ route: route.name, lane }, 'looking at', () => readEnd(this.#bus, name))
      }
    }
    this.#lookAt = performance.now() + lookEvery
  }

  async #checkSubjects(route: KnownRoute): Promise<void> {
    const stream = dataStream(route.name)
    // A stream that is missing, or another route's: `provision.ts` tells that.
    if ((await streamInfo(this.#bus, stream))?.config.metadata?.['uid'] !== route.uid) return
    const { state } = await this.#bus.call(this.#bus.jsm.streams.info(stream, { subjects_filter: '>' }))
    const strange: [subject: string, messages: number][] = []
    for (const [subject, messages] of Object.entries(state.subjects ?? {})) {
      if (this.#isLaneOf(route, subject) || (await this.#isOpenedOnly(route, subject))) continue
      // What was opened meanwhile, found and placed has its position by now.
      if (!this.#isLaneOf(route, subject)) strange.push([subject, messages])
    }
    if (strange.length > 0) throw new AlarmError('lane_conflict', describe(stream, strange))
  }

  /** A partition that came late: its lister opens its lane before anybody hears of it. It holds no records then. */
  async #isOpenedOnly({ name, source, lister, spec }: KnownRoute, subject: string): Promise<boolean> {
    const lane = laneNamed(subject)
    if (!lister || lane?.service !== source || lane.route !== name || wantedLanes(spec, [lane.lane]).length === 0)
      return false
    const end = await readEnd(this.#bus, lane)
    return end !== undefined && end.base + end.count === 0
  }

  /** One of the route's lanes, or of those that it had: their last message stays, and so does their position. */
  #isLaneOf({ name, uid, source, sink, lanes, retiring }: KnownRoute, subject: string): boolean {
    const lane = laneNamed(subject)
    if (lane?.service !== source || lane.route !== name) return false
    if (lanes.includes(lane.lane) || retiring.includes(lane.lane)) return true
    return this.#store.positions.entries.get(positionKey({ ...lane, service: sink }))?.document.uid === uid
  }
}

function laneNamed(subject: string): LaneName | undefined {
  try {
    return subject.startsWith('mr.d.') ? laneOfSubject(subject) : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function describe(stream: string, strange: readonly [subject: string, messages: number][]): string {
  const messages = strange.reduce((sum, [, count]) => sum + count, 0)
  const named = strange.slice(0, shownSubjects).map(([subject]) => JSON.stringify(subject.slice(0, shownCharacters)))
  const more = strange.length > shownSubjects ? ` and ${strange.length - shownSubjects} more subjects` : ''
  return `${stream} holds ${messages} messages on ${named.join(', ')}${more}, which are no lanes of this route: nobody delivers them. Find out who writes there; they go only when those subjects are purged.`
}
