/** What two looks at an installation say together: who runs what, how fast, and what is in the way. Pure. */
import { type ActorReport, decodeToken, type InstanceDocument, type PositionDocument } from '@millrace/bus'
import { type BusFacts, guaranteeOf } from '@millrace/routes'
import type { Snapshot } from './snapshot.ts'

/** A route. Rates are records per second between the two looks; totals are the route's own, over all restarts. */
interface RouteStatus {
  name: string
  guarantee: string
  /** What lowers the guarantee. */
  lowered: string[]
  deleting: boolean
  in: number
  out: number
  /** Records stored and not delivered yet. */
  pending: number
  totalOut: number
  totalDead: number
  totalFiltered: number
}

/** An actor and who runs it. */
interface ActorStatus extends ActorReport {
  instance: string
}

/** An instance. `silent`: no heartbeat came between the two looks. */
interface InstanceStatus {
  name: string
  state: InstanceDocument['state'] | 'silent'
  actors: number
  version: string
}

/** The whole. JSON. */
export interface Status {
  leader: { instance: string; term: number } | null
  revision: number
  routes: RouteStatus[]
  actors: ActorStatus[]
  instances: InstanceStatus[]
  /** What is kept and can't be run. */
  problems: string[]
}

/** The report. `before` was taken longer than a heartbeat before `after`. */
export function reportStatus(before: Snapshot, after: Snapshot, bus: BusFacts): Status {
  const { leader, routes } = after
  const instances = [...after.instances]
    .sort(byKey)
    .map(([key, document]) => instanceStatus(key, document, before.instances.get(key)))
  const running = instances.filter(({ state }) => state !== 'silent' && state !== 'stopped').map(({ name }) => name)
  const actors = actorsOf(after).filter(({ instance }) => running.includes(instance))
  const seconds = Math.max(0.001, (after.at - before.at) / 1000)
  return {
    leader: leader === undefined || leader.released === true ? null : { instance: leader.instance, term: leader.term },
    revision: routes.revision,
    routes: [...routes.routes.values()].map(route => ({
      name: route.name,
      guarantee: guaranteeOf(route, bus).guarantee,
      lowered: guaranteeOf(route, bus).lowered.map(({ message }) => message),
      deleting: routes.document.routes[route.name]?.deleting ?? false,
      in: growth(before, actors, route.name, 'in') / seconds,
      out: growth(before, actors, route.name, 'out') / seconds,
      pending: sum(
        actors.filter(actor => isOf(actor, 'sink', route.name)).map(actor => actor.counts?.['pending'] ?? 0),
      ),
      ...totals(after.positions, route.name),
    })),
    actors,
    instances,
    problems: routes.problems.map(({ message }) => message),
  }
}

function instanceStatus(key: string, now: InstanceDocument, before: InstanceDocument | undefined): InstanceStatus {
  const beats = before?.beat !== now.beat || before.startId !== now.startId || now.state === 'stopped'
  const actors = now.actors.filter(({ state }) => state !== 'stopped').length
  return { name: shownKey(key), state: beats ? now.state : 'silent', actors, version: now.version }
}

const actorsOf = ({ instances }: Snapshot): ActorStatus[] =>
  [...instances]
    .sort(byKey)
    .flatMap(([key, { actors }]) => actors.map(actor => ({ ...actor, instance: shownKey(key) })))

/** How much a count has grown. Where it went back, its process began anew: then it is all growth. */
function growth(before: Snapshot, actors: readonly ActorStatus[], route: string, count: 'in' | 'out'): number {
  const old = new Map(actorsOf(before).map(actor => [`${actor.instance} ${actor.id}`, actor.counts?.[count] ?? 0]))
  const role = count === 'in' ? 'source' : 'sink'
  return sum(
    actors
      .filter(actor => isOf(actor, role, route))
      .map(actor => {
        const now = actor.counts?.[count] ?? 0
        const then = old.get(`${actor.instance} ${actor.id}`) ?? now
        return now < then ? now : now - then
      }),
  )
}

const isOf = ({ id }: ActorReport, role: string, route: string): boolean => id.startsWith(`${role}.${route}.`)

function totals(positions: ReadonlyMap<string, PositionDocument>, route: string) {
  const own = [...positions]
    .filter(([key]) => decodeToken(key.split('.')[1] ?? '=20') === route)
    .map(([, { totals }]) => totals)
  return {
    totalOut: sum(own.map(({ out }) => out)),
    totalDead: sum(own.map(({ dead }) => dead)),
    totalFiltered: sum(own.map(({ filtered }) => filtered)),
  }
}

/** `<service>.<instance>`, readable. */
export function shownKey(key: string): string {
  const [service = '', instance = ''] = key.split('.')
  return instance === '' ? service : `${service}.${decodeToken(instance)}`
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
