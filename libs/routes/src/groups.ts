/** Routes that commit to one group of a Kafka cluster: the offsets of the one are written over by the other's. */
import type { KnownConnections } from './ends.ts'
import { type Finding, warningAt } from './finding.ts'
import type { KafkaSource } from './kafka-source.ts'
import { isTopicPattern, topicMatcher } from './kafka-topic.ts'
import { systemsOf } from './outside-system.ts'
import type { Route } from './route.ts'

/** What is found of each route whose group another one, that may read a topic of its, commits to as well. */
export function checkGroups(routes: readonly Route[], connections: KnownConnections): Map<Route, Finding> {
  const named = routes.flatMap(route => {
    const { source } = route
    if (source.protocol !== 'kafka' || source.group === undefined) return []
    const places = systemsOf(connections.get(source.connection)).map(system => `${system} ${source.group}`)
    return [{ route, source, places }]
  })
  const found = new Map<Route, Finding>()
  for (const { route, source, places } of named) {
    const others = named.filter(
      other =>
        other.route !== route &&
        other.places.some(place => places.includes(place)) &&
        shareTopics(source, other.source),
    )
    if (others.length === 0) continue
    const names = others.map(other => other.route.name).join(', ')
    const message = `${names} commits to this group as well, of topics that both read: what tools see of the lag is of either`
    found.set(route, warningAt(['source', 'group'], 'shared_group', message))
  }
  return found
}

/** Whether there may be a topic that both read; of two patterns nobody knows. */
function shareTopics({ topics }: KafkaSource, { topics: others }: KafkaSource): boolean {
  if (topics.some(isTopicPattern) && others.some(isTopicPattern)) return true
  return others.some(topicMatcher(topics)) || topics.some(topicMatcher(others))
}
