/** lane -> Kafka: one sink actor a lane, each with a producer of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import { type ActorContext, mayWrite, type PlacedService, sinkSide } from '@millrace/host'
import { KafkaError } from '@millrace/kafka'
import { deliver } from '@millrace/lane'
import { sinkOf } from '@millrace/routes'
import { type ExactlyOnceSink, type KafkaSink, openSink } from './sink.ts'

/** How many bytes of waiting batches become one delivery, however many partitions they go to. A transaction costs more. */
const deliveryBytes = { atLeastOnce: 2 * 2 ** 20, exactlyOnce: 4 * 2 ** 20 }

export const service: PlacedService = { name: 'kafka-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const side = sinkSide(service.name, actor, context)
  const sink = await untilOpen(actor, context)
  if (sink === undefined) return
  await deliver({
    ...side,
    sink,
    merge: { records: sinkOf(context.route, 'kafka').batch.maxRecords, bytes: deliveryBytes[context.route.delivery] },
    state: (state, problem) => context.state(state, problem ?? sink.notice),
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
