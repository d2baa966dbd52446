/**
 * Loops: routes that read what they wrote, over one or more routes. A route leads to another where its sink writes, at the
 * same outside system, a topic that the other's source reads. That is certain where the topic is fixed and no filter may
 * break the circle; else it is possible, and what comes back at run time becomes a dead letter where a header can tell.
 */
import type { KnownConnections } from './ends.ts'
import { errorAt, type Finding, warningAt } from './finding.ts'
import { isTopicPattern, topicMatcher } from './kafka-topic.ts'
import { filterMatches, filterMayMatch } from './mqtt-filter.ts'
import { systemsOf } from './outside-system.ts'
import type { Route } from './route.ts'
import { isTemplate } from './template.ts'

/** What is found of each route that may read again what it wrote. */
export function checkLoops(routes: readonly Route[], connections: KnownConnections): Map<Route, Finding> {
  const steps = stepsOf(routes, connections)
  const found = new Map<Route, Finding>()
  for (const route of steps.keys()) {
    const certain = wayBack(route, steps, true)
    const way = certain ?? wayBack(route, steps, false)
    if (way !== undefined) found.set(route, findingOf(way, certain !== undefined))
  }
  return found
}

function findingOf(way: readonly Route[], isCertain: boolean): Finding {
  const path = ['sink', 'topic']
  const names = way.map(({ name }) => name).join(' -> ')
  if (isCertain) return errorAt(path, 'loop', `what it writes comes back to it for ever: ${names}`)
  return warningAt(path, 'loop', `what it writes may come back to it: ${names}`)
}

/** One step: from a route to one that reads what it writes. */
interface Step {
  to: Route
  isCertain: boolean
}

type Steps = ReadonlyMap<Route, readonly Step[]>

/** The steps from each route; without those that lead nowhere further, and so to no circle. */
function stepsOf(routes: readonly Route[], connections: KnownConnections): Steps {
  const readers = readersOf(routes, connections)
  const steps = new Map<Route, Step[]>()
  for (const route of routes) steps.set(route, stepsFrom(route, readers, connections))
  for (let before = -1; before !== steps.size; ) {
    before = steps.size
    for (const [route, found] of steps) {
      const left = found.filter(({ to }) => steps.has(to))
      if (left.length === 0) steps.delete(route)
      else steps.set(route, left)
    }
  }
  return steps
}

/** The shortest way from a route back to it, by certain steps alone or by any. */
function wayBack(route: Route, steps: Steps, onlyCertain: boolean): Route[] | undefined {
  const ways: Route[][] = [[route]]
  const seen = new Set<Route>()
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const { to, isCertain } of steps.get(way.at(-1) ?? route) ?? []) {
      if (onlyCertain && !isCertain) continue
      if (to === route) return [...way, to]
      if (!seen.has(to)) ways.push([...way, to])
      seen.add(to)
    }
  }
  return undefined
}

/** Where a sink writes: a topic, or only how it begins. In levels as well, for MQTT: this is compared with many filters. */
interface Target {
  text: string
  levels: string[]
  isFixed: boolean
}

function targetOf({ sink }: Route): Target {
  const isFixed = !isTemplate(sink.topic)
  const text = isFixed ? sink.topic : sink.topic.slice(0, sink.topic.indexOf('${'))
  return { text, levels: text.split('/'), isFixed }
}

/** A route as a reader: whether it reads what is written there, or some of it. */
interface Reader {
  route: Route
  reads: (target: Target) => boolean
}

/** The readers of each outside system. */
function readersOf(routes: readonly Route[], connections: KnownConnections): Map<string, Reader[]> {
  const readers = new Map<string, Reader[]>()
  for (const route of routes) {
    const reader = readerOf(route)
    for (const system of systemsOf(connections.get(route.source.connection))) {
      const others = readers.get(system)
      if (others === undefined) readers.set(system, [reader])
      else others.push(reader)
    }
  }
  return readers
}

function readerOf(route: Route): Reader {
  const { protocol, topics } = route.source
  if (protocol === 'mqtt') {
    const filters = topics.map(filter => filter.split('/'))
    const fits = ({ isFixed }: Target) => (isFixed ? filterMatches : filterMayMatch)
    return { route, reads: target => filters.some(filter => fits(target)(filter, target.levels)) }
  }
  const isRead = topicMatcher(topics)
  const mayBeRead = (beginning: string) => topics.some(topic => isTopicPattern(topic) || topic.startsWith(beginning))
  return { route, reads: ({ isFixed, text }) => (isFixed ? isRead(text) : mayBeRead(text)) }
}

function stepsFrom(route: Route, readers: ReadonlyMap<string, Reader[]>, connections: KnownConnections): Step[] {
  const { sink, filter } = route
  const target = targetOf(route)
  const there = systemsOf(connections.get(sink.connection)).flatMap(system => readers.get(system) ?? [])
  return there
    .filter(reader => reader.reads(target))
    .map(({ route: to }) => {
      const isSameTopic = target.isFixed || (to === route && keepsTopic.test(sink.topic))
      return { to, isCertain: isSameTopic && filter === undefined }
    })
}

/** A template that makes the very topic that the record was read from. */
const keepsTopic = /^\$\{\s*source\s*\.\s*topic\s*\}$/
