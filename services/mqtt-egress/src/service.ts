/** lane -> MQTT: one sink actor a lane, each with a client id of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import type { ActorContext, PlacedService } from '@millrace/host'
import { deliver, pathThrough, Tap } from '@millrace/lane'
import { compileExpression, sourceService } from '@millrace/routes'
import { MqttSink } from './sink.ts'

export const service: PlacedService = { name: 'mqtt-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const { bus, route, signal, draining, counts, latency } = context
  const tap = new Tap()
  context.tap(request => tap.answer(request, signal))
  const sink = new MqttSink(actor, context)
  await connect(sink, context)
  await deliver({
    bus,
    lane: { service: sourceService(route), route: actor.route, lane: actor.lane },
    sinkService: service.name,
    uid: actor.uid,
    epoch: actor.epoch,
    sink,
    ...(route.filter !== undefined && { filter: compileExpression(route.filter) }),
    path: pathThrough(context.installation, route),
    mayWrite: async () => context.fresh() || (await context.allowed()),
    signal,
    draining,
    state: (state, problem) => context.state(state, problem ?? sink.notice),
    counts,
    latency,
    tap,
  })
}

/** Holds the lane until the broker lets us in, which shuts its owner before out (R9). */
async function connect(sink: MqttSink, { signal, draining, state }: ActorContext): Promise<void> {
  const over = AbortSignal.any([signal, draining])
  for (const wait = backoff(); !over.aborted; await delay(wait.next(), over)) {
    const problem = await sink.connect()
    if (problem === undefined) return
    state('holding', problem)
  }
}
