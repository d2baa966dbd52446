/** R14: each route states the guarantee that it really has, and what lowers it. */
import type { Route } from './route.ts'

/** From the most to the least. `best-effort`: a message may be lost when a process dies. */
const guarantees = ['exactly-once', 'at-least-once', 'best-effort'] as const
export type Guarantee = (typeof guarantees)[number]

/** What is known of the bus that a route runs on. */
export interface BusFacts {
  /** How many servers keep a copy of each stream. */
  replicas: number
  /** Whether nats-server stores to disk before it answers (`sync_interval: always`). */
  syncAlways: boolean | 'unknown'
}

/** Why a route promises less than its protocols can. */
export interface Lowered {
  code: 'qos_0' | 'publish_qos_0' | 'acks_0' | 'acks_1' | 'bus_not_synced' | 'bus_unknown'
  message: string
}

/** What an end was found not to do while the route runs; its code is the problem's own. */
interface Found {
  code: string
  message: string
}

/** Such ends lose nothing, but an old copy may come behind newer records. Whatever else is found makes it `best-effort`. */
const unfenced: readonly string[] = ['no_fence', 'no_idempotence']

/**
 * What a route really promises. With MQTT at either end the most is `at-least-once`: what saw no acknowledgement is sent
 * again. From Kafka to Kafka it is `exactly-once` where the route asks for transactions; into a lane Kafka's records come
 * exactly once anyway. `found` is what those who run it have found of its ends, each once however many lanes tell of it.
 */
export function guaranteeOf(
  route: Route,
  bus: BusFacts,
  found: readonly Found[],
): { guarantee: Guarantee; lowered: Found[] } {
  const reasons = [...loweredByRoute(route), ...loweredByBus(bus), ...found]
  const lowered = [...new Map(reasons.map(reason => [reason.message, reason])).values()]
  const best = route.delivery === 'exactlyOnce' ? 'exactly-once' : 'at-least-once'
  const levels: Guarantee[] = [best]
  for (const { code } of lowered) levels.push(unfenced.includes(code) ? 'at-least-once' : 'best-effort')
  return { guarantee: guarantees.findLast(level => levels.includes(level)) ?? best, lowered }
}

/** What a route's own fields lower, on any bus. */
export function loweredByRoute({ source, sink }: Route): Lowered[] {
  const lowered: Lowered[] = []
  if (source.protocol === 'mqtt' && source.qos === 0)
    lowered.push({ code: 'qos_0', message: 'qos 0: the broker sends a message once and forgets it' })
  if (sink.protocol === 'mqtt' && sink.qos === 0)
    lowered.push({ code: 'publish_qos_0', message: 'qos 0: nobody says whether the broker has a message' })
  if (sink.protocol === 'kafka' && sink.acks === 0)
    lowered.push({
      code: 'acks_0',
      message: 'acks 0: Kafka never says whether it has a record, and no fence keeps two writers apart',
    })
  if (sink.protocol === 'kafka' && sink.acks === 1)
    lowered.push({
      code: 'acks_1',
      message: 'acks 1: a record is lost with its leader, and no fence keeps two writers apart',
    })
  return lowered
}

function loweredByBus({ replicas, syncAlways }: BusFacts): Lowered[] {
  if (replicas > 1 || syncAlways === true) return []
  if (syncAlways === false) {
    const message = 'one nats-server without sync_interval: always may lose its last seconds when its machine stops'
    return [{ code: 'bus_not_synced', message }]
  }
  const message = 'whether nats-server syncs is unknown: set MILLRACE_NATS_MONITOR_URL, or run 3 replicas'
  return [{ code: 'bus_unknown', message }]
}
