/**
 * What `mr_routes` shall say after an apply or a delete. Pure. Nothing but what is named, and what uses a connection
 * that is named, gets a new version: changing or deleting one route disturbs no other.
 */
import type { Problem, RoutesDocument } from '@millrace/bus'
import {
  type Change,
  diff,
  type MqttConnection,
  mqttEndpoint,
  parseStored,
  type Route,
  type Stored,
  storedConnection,
  type StoredProblem,
  storedRoute,
  type StoredSpecs,
} from '@millrace/routes'
import { isListed, type KeptRoute, lanesOf, specsOf, wantedLanes } from './route-lanes.ts'

/** What shall be written, and what it changes; or why nothing will. */
export type Applied = { document: RoutesDocument; changes: Change[] } | { problem: Problem }

/**
 * Adds or replaces the connections and routes that are named; the others stay, and so does what is kept there and can't
 * be read. Refuses, with all problems, what does not hold together, a route that is still being deleted (its uid must
 * never come back to life), and another broker, or other client ids, for a route's source.
 */
export function applied(before: RoutesDocument, named: StoredSpecs, newUid: (name: string) => string): Applied {
  const leaving = Object.keys(named.routes).filter(name => before.routes[name]?.deleting)
  if (leaving.length > 0) return { problem: stillDeleting(leaving) }
  const old = parseStored(specsOf(before))
  const now = parseStored({
    connections: { ...before.connections, ...named.connections },
    routes: { ...specsOf(before).routes, ...named.routes },
  })
  const problems = now.problems.filter(problem => isOfApply(problem, named, old))
  if (problems.length > 0) return { problem: invalid(problems) }
  const turned = [...now.routes.values()].filter(route => speaksOtherwise(old.routes.get(route.name), route))
  if (turned.length > 0) return { problem: protocolChanged(turned) }
  const moved = [...now.routes.values()].filter(route => readsElsewhere(old, now, route.name))
  if (moved.length > 0) return { problem: sourceChanged(moved) }
  const changes = diff(old, now)
  const routes = changes.flatMap(({ kind, name, change }): [string, KeptRoute][] => {
    const route = now.routes.get(name)
    if (kind !== 'Route' || route === undefined) return []
    const kept = before.routes[name]
    if (kept === undefined) return [[name, { uid: newUid(name), version: 1, spec: storedRoute(route) }]]
    return [[name, change === 'unchanged' ? kept : changed(kept, old.routes.get(name), route)]]
  })
  const connections = [...now.connections].map(([name, connection]) => [name, storedConnection(connection)])
  return {
    document: {
      installation: before.installation,
      connections: { ...before.connections, ...Object.fromEntries(connections) },
      routes: { ...before.routes, ...Object.fromEntries(routes) },
      unwanted: before.unwanted?.filter(name => !(name in named.connections)) ?? [],
    },
    changes,
  }
}

/** It is in what the apply names, or in what was right before. */
function isOfApply({ kind, name }: StoredProblem, named: StoredSpecs, old: Stored): boolean {
  const place = kind === 'Route' ? 'routes' : 'connections'
  return name in named[place] || old[place].has(name)
}

/**
 * Whether a route that was there would read another broker than before, or by sessions of other names. The old ones would
 * be kept, and gather what nobody takes.
 */
function readsElsewhere(old: Stored, now: Stored, route: string): boolean {
  const [before, after] = [old, now].map(({ routes, connections }) => {
    const mqtt = connections.get(routes.get(route)?.source.connection ?? '')?.mqtt
    return mqtt === undefined ? undefined : sessionsOf(mqtt)
  })
  return before !== undefined && before !== after
}

/** Whether an end of a route has another protocol: its lanes, or its positions, are then another service's. */
function speaksOtherwise(before: Route | undefined, { source, sink }: Route): boolean {
  return before !== undefined && (before.source.protocol !== source.protocol || before.sink.protocol !== sink.protocol)
}

/** Where a connection's sessions are, and how their names begin. */
function sessionsOf(mqtt: MqttConnection): string {
  const { host, port } = mqttEndpoint(mqtt)
  return `${host.toLowerCase()}:${port} ${mqtt.clientIdPrefix ?? ''}`
}

/** The next version; slots, and partitions of topics, that it does not have any more retire, and come back with it. */
function changed(kept: KeptRoute, old: Route | undefined, route: Route): KeptRoute {
  const next = { ...kept, version: kept.version + 1, spec: storedRoute(route) }
  if (kept.deleting) return next
  const had = [...new Set([...(old === undefined ? (kept.lanes ?? []) : lanesOf(kept, old)), ...(kept.retiring ?? [])])]
  const wants = wantedLanes(route, had)
  const retiring = had.filter(lane => !wants.includes(lane))
  // Without any `lanes`, its lister has never looked: a source's `start` is for those that it finds first.
  return isListed(route) && kept.lanes !== undefined ? { ...next, lanes: wants, retiring } : { ...next, retiring }
}

/** The routes with more lanes of one: its lister has found them. */
export function extended(before: RoutesDocument, name: string, found: readonly string[]): RoutesDocument {
  const kept = before.routes[name]
  if (kept === undefined) return before
  return { ...before, routes: { ...before.routes, [name]: { ...kept, lanes: [...(kept.lanes ?? []), ...found] } } }
}

/** What a user asks to be deleted. `discard`: without delivering what is stored. */
export interface Deletion {
  routes: readonly string[]
  connections: readonly string[]
  discard: boolean
}

/**
 * Marks routes as deleting: their lanes retire. With `discard` only their sessions end; and asked for a second time, or
 * where a route can't be read, not even those are waited for. A connection that only such
 * routes use goes with the last of them. Refuses what does not exist, and a connection that another route uses.
 */
export function deleted(before: RoutesDocument, { routes, connections, discard }: Deletion): Applied {
  const unknown = [
    ...routes.filter(name => before.routes[name] === undefined).map(name => `Route ${name}`),
    ...connections.filter(name => before.connections[name] === undefined).map(name => `Connection ${name}`),
  ]
  if (unknown.length > 0) return { problem: { code: 'not_found', message: `There is no ${unknown.join(', no ')}.` } }
  const read = parseStored(specsOf(before))
  const unread = routes.filter(name => !read.routes.has(name) && !discard)
  if (unread.length > 0) {
    return { problem: invalid(read.problems) }
  }
  const going = Object.entries(before.routes).map(([name, kept]): [string, KeptRoute] => [
    name,
    routes.includes(name) ? marked(kept, read.routes.get(name), discard) : kept,
  ])
  const after = { ...before, routes: Object.fromEntries(going), unwanted: [...(before.unwanted ?? []), ...connections] }
  const staying = [...read.routes.values()].filter(({ name }) => after.routes[name]?.deleting !== true)
  const users = staying.filter(route => connectionsOf(route).some(name => connections.includes(name)))
  if (users.length > 0) return { problem: inUse(connections, users) }
  return { document: withoutUnused(after), changes: [] }
}

/** The routes without this one, which is drained and gone, and without the connections that went with it. */
export function removed(before: RoutesDocument, name: string): RoutesDocument {
  const routes = Object.entries(before.routes).filter(([other]) => other !== name)
  return withoutUnused({ ...before, routes: Object.fromEntries(routes) })
}

/** The routes with one lane less to retire: it is drained. */
export function retired(before: RoutesDocument, name: string, lane: string): RoutesDocument {
  const kept = before.routes[name]
  if (kept === undefined) return before
  const retiring = kept.retiring?.filter(other => other !== lane) ?? []
  return { ...before, routes: { ...before.routes, [name]: { ...kept, retiring } } }
}

function marked(kept: KeptRoute, route: Route | undefined, discard: boolean): KeptRoute {
  if (route === undefined || (discard && kept.discard)) return { ...kept, deleting: true, retiring: [] }
  if (kept.deleting) return discard ? { ...kept, discard } : kept
  const retiring = [...new Set([...lanesOf(kept, route), ...(kept.retiring ?? [])])]
  return { ...kept, deleting: true, retiring, ...(discard && { discard }) }
}

/** Drops the connections that nobody wants and no route names any more. */
function withoutUnused(document: RoutesDocument): RoutesDocument {
  const used = [...parseStored(specsOf(document)).routes.values()].flatMap(connectionsOf)
  const drop = new Set(document.unwanted?.filter(name => !used.includes(name)))
  return {
    ...document,
    connections: Object.fromEntries(Object.entries(document.connections).filter(([name]) => !drop.has(name))),
    unwanted: [...new Set(document.unwanted)].filter(name => !drop.has(name)),
  }
}

function connectionsOf({ source, sink }: Route): string[] {
  return [source.connection, sink.connection]
}

function invalid(problems: readonly StoredProblem[]): Problem {
  return { code: 'invalid', message: problems.map(({ message }) => message).join('\n') }
}

function sourceChanged(routes: readonly Route[]): Problem {
  const names = routes.map(({ name }) => name).join(', ')
  const message = `Route ${names} would read another broker, or by other client ids, and leave the session that it has with messages that were acknowledged: delete the route (its messages are delivered first), then apply it again.`
  return { code: 'source_changed', message }
}

function protocolChanged(routes: readonly Route[]): Problem {
  const names = routes.map(({ name }) => name).join(', ')
  const message = `Route ${names} would have an end of another protocol: delete the route (its messages are delivered first), then apply it again, or apply it under another name.`
  return { code: 'protocol_changed', message }
}

function stillDeleting(names: readonly string[]): Problem {
  const message = `Route ${names.join(', ')} is still being deleted: what it has stored is being delivered. Apply it again when it is gone (millrace get), or delete it with --discard.`
  return { code: 'deleting', message }
}

function inUse(connections: readonly string[], users: readonly Route[]): Problem {
  const routes = users.map(({ name }) => name).join(', ')
  const message = `Connection ${connections.join(', ')} is used by route ${routes}: delete that too, or change it first.`
  return { code: 'in_use', message }
}
