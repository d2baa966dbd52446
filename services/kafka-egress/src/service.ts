/** lane -> Kafka: one sink actor a lane, each with a producer of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import type { ActorContext, PlacedService } from '@millrace/host'
import { KafkaError } from '@millrace/kafka'
import { deliver, pathThrough, Tap } from '@millrace/lane'
import { compileExpression, sinkOf, sourceService } from '@millrace/routes'
import { type ExactlyOnceSink, type KafkaSink, openSink } from './sink.ts'

/** How many bytes of waiting batches become one delivery, however many partitions they go to. A transaction costs more. */
const deliveryBytes = { atLeastOnce: 2 * 2 ** 20, exactlyOnce: 4 * 2 ** 20 }

export const service: PlacedService = { name: 'kafka-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const { bus, route, signal, draining, counts, latency } = context
  const tap = new Tap()
  context.tap(request => tap.answer(request, signal))
  const sink = await untilOpen(actor, context)
  if (sink === undefined) return
  await deliver({
    bus,
    lane: { service: sourceService(route), route: actor.route, lane: actor.lane },
    sinkService: service.name,
    uid: actor.uid,
    epoch: actor.epoch,
    sink,
    ...(route.filter !== undefined && { filter: compileExpression(route.filter) }),
    path: pathThrough(context.installation, route),
    merge: { records: sinkOf(route, 'kafka').batch.maxRecords, bytes: deliveryBytes[route.delivery] },
    mayWrite: () => mayWrite(context),
    signal,
    draining,
    state: (state, problem) => context.state(state, problem ?? sink.notice),
    counts,
    latency,
    tap,
  })
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

/** R11 */
async function mayWrite(context: ActorContext): Promise<boolean> {
  return context.fresh() || (await context.allowed())
}
