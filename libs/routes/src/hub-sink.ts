/** What a route asks of Azure Event Hubs that a hub does not do: see event-hubs.ts. */
import { errorAt, type Finding, warningAt } from './finding.ts'
import type { KafkaSink } from './kafka-sink.ts'
import type { Route } from './route.ts'

/** A request above 1,046,528 bytes makes a hub close the connection; a batch leaves room for what is around it. */
const largestRequest = 1_046_528
const largestBatch = 1_000_000

/** What a hub does not take of a route that ends there. */
export function checkHubSink({ delivery, maxRecordBytes = 0 }: Route, sink: KafkaSink): Finding[] {
  const findings: Finding[] = []
  if (sink.compression !== 'none' && sink.compression !== 'gzip') {
    const message = `Event Hubs refuses ${sink.compression}: the route will run uncompressed; gzip works in its premium tiers`
    findings.push(warningAt(['sink', 'compression'], 'event_hubs', message))
  }
  if (sink.createTopic !== undefined) {
    const message = 'Event Hubs makes no topics for a client: make the hub beforehand, in Azure'
    findings.push(errorAt(['sink', 'createTopic'], 'event_hubs', message))
  }
  if (sink.batch.maxBytes > largestBatch) {
    const message = `Event Hubs closes the connection on a larger request: at most ${largestBatch}B`
    findings.push(errorAt(['sink', 'batch', 'maxBytes'], 'event_hubs', message))
  }
  if (maxRecordBytes > largestRequest) {
    const message = `Event Hubs takes at most ${largestRequest} bytes: a larger record becomes a dead letter (too_large)`
    findings.push(warningAt(['maxRecordBytes'], 'event_hubs', message))
  }
  if (delivery === 'exactlyOnce') {
    const message =
      'Event Hubs has transactions in its premium tiers only, as a preview; where it has none, the lane holds'
    findings.push(warningAt(['delivery'], 'event_hubs', message))
  }
  return findings
}
