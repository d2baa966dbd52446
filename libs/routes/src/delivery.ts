/** R14: what asks for more than its ends can give is refused. */
import { errorAt, type Finding, warningAt } from './finding.ts'
import type { Route } from './route.ts'
import { isTemplate } from './template.ts'

/** Whether a route's ends can keep its `delivery`. */
export function checkDelivery(route: Route): Finding[] {
  const { source, sink, delivery } = route
  if (delivery === 'atLeastOnce') {
    if (sink.protocol === 'mqtt' || sink.positionTopic === undefined) return []
    const message = 'the position is committed in Kafka only with delivery: exactlyOnce'
    return [warningAt(['sink', 'positionTopic'], 'no_effect', message)]
  }
  const reason = whyNotExactlyOnce(route)
  if (reason !== undefined) return [errorAt(['delivery'], 'delivery', `exactlyOnce ${reason}`)]
  if (source.protocol === 'mqtt' || source.isolation === 'readCommitted') return []
  const message = 'records of transactions that are open or aborted are read, and delivered exactly once'
  return [warningAt(['source', 'isolation'], 'uncommitted', message)]
}

function whyNotExactlyOnce({ source, sink }: Route): string | undefined {
  if (source.protocol === 'mqtt') {
    return 'asks for more than MQTT gives: a broker sends again what it saw no acknowledgement for'
  }
  if (sink.protocol === 'mqtt') {
    return 'asks for more than MQTT takes: what a broker did not acknowledge is published again'
  }
  if (sink.acks !== 'all') return 'needs acks: all, for Kafka has no transactions without'
  if (!isTemplate(sink.topic) || sink.positionTopic !== undefined) return undefined
  return 'needs sink.positionTopic, a topic that exists, where sink.topic is a template'
}
