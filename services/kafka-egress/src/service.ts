/** lane -> Kafka: one sink actor a lane, each with a producer of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import { type ActorContext, mayWrite, type PlacedService, sinkSide } from '@millrace/host'
import { KafkaError } from '@millrace/kafka'
import { deliver, type DeliverOptions } from '@millrace/lane'
import { type Route, sinkOf } from '@millrace/routes'
import { type ExactlyOnceSink, type KafkaSink, openSink } from './sink.ts'

/**
 * How many bytes of waiting batches become one delivery, however many partitions they go to, and how long, in
 * milliseconds, they gather where the route does not say. A transaction costs several times what a Produce does.
 */
const gathering = {
  atLeastOnce: { bytes: 2 * 2 ** 20, linger: 0 },
  exactlyOnce: { bytes: 4 * 2 ** 20, linger: 50 },
}

/** What the process runs. */
export const service: PlacedService = { name: 'kafka-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const side = sinkSide(service.name, actor, context)
  const sink = await untilOpen(actor, context)
  if (sink === undefined) return
  context.log.debug('connected')
  context.lowers(sink.lowers)
  await deliver({
    ...side,
    sink,
    ...gatheringOf(context.route),
    state: (state, problem) => context.state(state, problem ?? sink.notice),
  })
}

/** What of a lane becomes one delivery: what waits, or what has come when its `linger` is over or a batch is full. */
function gatheringOf(route: Route): Pick<DeliverOptions, 'merge' | 'linger'> {
  const { maxRecords: records, maxBytes, linger } = sinkOf(route, 'kafka').batch
  const { bytes, linger: ms } = { ...gathering[route.delivery], ...(linger !== undefined && { linger }) }
  return { merge: { records, bytes }, linger: { ms, records, bytes: Math.min(maxBytes, bytes) } }
}

/** Holds the lane until the cluster lets us in; undefined where this actor is over before. */
async function untilOpen(
  actor: ActorAssignment,
  context: ActorContext,
): Promise<KafkaSink | ExactlyOnceSink | undefined> {
  const over = AbortSignal.any([context.signal, context.draining])
  for (const wait = backoff(); !over.aborted; await delay(wait.next(), over)) {
    if (!(await mayWrite(context))) return undefined
    try {
      return await openSink(actor, context, () => mayWrite(context))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      context.state('holding', { code: error.code, message: error.message })
    }
  }
  return undefined
}
