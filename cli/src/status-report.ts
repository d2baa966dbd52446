/** What two looks at an installation say together: who runs what, how fast, and what is in the way. Pure. */
import {
  type ActorReport,
  decodeToken,
  type InstanceDocument,
  type PositionDocument,
  type RoutesDocument,
} from '@millrace/bus'
import { type BusFacts, guaranteeOf, type Route } from '@millrace/routes'
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
  /** Records that the sources which run now have made dead letters, since they started. */
  refused: number
  totalOut: number
  /** Records that the sink made dead letters. */
  totalDead: number
  totalFiltered: number
}

/** One side of a lane, and who runs it. */
interface LaneStatus extends ActorReport {
  instance: string
}

/** An instance. `silent`: no heartbeat came between the two looks. */
interface InstanceStatus {
  name: string
  state: InstanceDocument['state'] | 'silent'
  /** How many sides of lanes it runs. */
  lanes: number
  version: string
}

type KeptRoute = RoutesDocument['routes'][string]

/** The whole. JSON. */
export interface Status {
  leader: { instance: string; term: number } | null
  revision: number
  routes: RouteStatus[]
  lanes: LaneStatus[]
  instances: InstanceStatus[]
  /** What is in the way, in sentences, but for the lanes' own problems. */
  problems: string[]
}

/** The report. `before` was taken longer than a heartbeat before `after`. */
export function reportStatus(before: Snapshot, after: Snapshot, bus: BusFacts): Status {
  const { leader, routes } = after
  const instances = [...after.instances]
    .sort(byKey)
    .map(([key, document]) => instanceStatus(key, document, before.instances.get(key)))
  const running = instances.filter(({ state }) => state !== 'silent' && state !== 'stopped').map(({ name }) => name)
  const lanes = lanesOf(after).filter(({ instance }) => running.includes(instance))
  const seconds = Math.max(0.001, (after.at - before.at) / 1000)
  return {
    leader: leader === undefined || leader.released === true ? null : { instance: leader.instance, term: leader.term },
    revision: routes.revision,
    routes: [...routes.routes.values()].map(route => ({
      name: route.name,
      ...promised(route, bus, lanes),
      deleting: routes.document.routes[route.name]?.deleting ?? false,
      in: growth(before, lanes, route.name, 'in') / seconds,
      out: growth(before, lanes, route.name, 'out') / seconds,
      pending: counted(lanes, 'sink', route.name, 'pending'),
      refused: counted(lanes, 'source', route.name, 'refused'),
      ...totals(after.positions, route.name),
    })),
    lanes,
    instances,
    problems: [
      ...routes.problems.map(({ message }) => message),
      ...inTheWay(after, running),
      ...silentLeader(leader, instances),
      ...unplaced(after, running),
    ],
  }
}

/** What the route promises, as its own fields, the bus and the ends that are running now have it (R14). */
function promised(route: Route, bus: BusFacts, lanes: readonly LaneStatus[]) {
  const found = lanes.filter(({ id }) => id.split('.')[1] === route.name).flatMap(({ lowers = [] }) => lowers)
  const { guarantee, lowered } = guaranteeOf(route, bus, found)
  return { guarantee, lowered: lowered.map(({ message }) => message) }
}

/** What a coordinator says that stands in the way, a line each: it runs no lanes, and is one itself. */
function inTheWay({ instances }: Snapshot, running: readonly string[]): string[] {
  return [...instances].sort(byKey).flatMap(([key, { actors }]) => {
    const name = shownKey(key)
    const others = running.includes(name) ? actors.filter(actor => !isLane(actor)) : []
    const lines = others.flatMap(({ problem }) => problem?.message.split('\n') ?? [])
    return lines.map(line => `${name}: ${line}`)
  })
}

/** A leader that was killed keeps its seat until a standby takes it. */
function silentLeader(leader: Snapshot['leader'], instances: readonly InstanceStatus[]): string[] {
  const name = `coordinator.${leader?.instance}`
  if (!instances.some(instance => instance.name === name && instance.state === 'silent')) return []
  return [`${name} leads, and is silent; a standby takes over within seconds, if one runs`]
}

/** What of routes nobody runs, and which have nothing to run yet. */
function unplaced({ routes: { routes, document }, instances }: Snapshot, running: readonly string[]): string[] {
  const actors = [...instances].flatMap(([key, { actors }]) => (running.includes(shownKey(key)) ? actors : []))
  return [...routes.values()].flatMap(route => {
    const roles = rolesOf(route, document.routes[route.name])
    const missing = roles.filter(role => !actors.some(actor => isOf(actor, role, route.name)))
    if (missing.length === 0 && roles.length === 1 && roles[0] === 'lister')
      return [`${route.name}: its source has no partitions yet; are its topics there?`]
    const isThere = 'is there an instance of its service, running and not draining?'
    return missing.map(role => `${route.name}: nobody runs its ${role}; ${isThere}`)
  })
}

type Role = 'lister' | 'source' | 'sink'

/** What a route has. Of what is thrown away nothing is delivered. */
function rolesOf({ source }: Route, kept: KeptRoute | undefined): readonly Role[] {
  const { lanes = [], retiring = [], deleting = false, discard = false } = kept ?? {}
  const listed = source.protocol === 'kafka'
  const sides: Role[] = listed && lanes.length + retiring.length === 0 ? [] : discard ? ['source'] : ['source', 'sink']
  return listed && !deleting ? ['lister', ...sides] : sides
}

function instanceStatus(key: string, now: InstanceDocument, before: InstanceDocument | undefined): InstanceStatus {
  const beats = before?.beat !== now.beat || before.startId !== now.startId || now.state === 'stopped'
  const lanes = now.actors.filter(actor => isLane(actor) && actor.state !== 'stopped').length
  return { name: shownKey(key), state: beats ? now.state : 'silent', lanes, version: now.version }
}

const lanesOf = ({ instances }: Snapshot): LaneStatus[] =>
  [...instances]
    .sort(byKey)
    .flatMap(([key, { actors }]) => actors.filter(isLane).map(actor => ({ ...actor, instance: shownKey(key) })))

/** `<role>.<route>.<lane>`; what a coordinator runs has another id. */
export const isLane = ({ id }: ActorReport): boolean => /^(source|sink)\../.test(id)

/** How much a count has grown. Where it went back, its process began anew: then it is all growth. */
function growth(before: Snapshot, lanes: readonly LaneStatus[], route: string, count: 'in' | 'out'): number {
  const old = new Map(lanesOf(before).map(actor => [`${actor.instance} ${actor.id}`, actor.counts?.[count] ?? 0]))
  const role = count === 'in' ? 'source' : 'sink'
  return sum(
    lanes
      .filter(actor => isOf(actor, role, route))
      .map(actor => {
        const now = actor.counts?.[count] ?? 0
        const then = old.get(`${actor.instance} ${actor.id}`) ?? now
        return now < then ? now : now - then
      }),
  )
}

/** A count of a route, over all that run it. */
const counted = (lanes: readonly LaneStatus[], role: string, route: string, count: string): number =>
  sum(lanes.filter(lane => isOf(lane, role, route)).map(lane => lane.counts?.[count] ?? 0))

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
