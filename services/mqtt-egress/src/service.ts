/** lane -> MQTT: one sink actor a lane, each with a client id of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import { type ActorContext, type PlacedService, sinkSide } from '@millrace/host'
import { deliver } from '@millrace/lane'
import { MqttSink } from './sink.ts'

export const service: PlacedService = { name: 'mqtt-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const side = sinkSide(service.name, actor, context)
  const sink = new MqttSink(actor, context)
  await connect(sink, context)
  await deliver({
    ...side,
    sink,
    state: (state, problem) => context.state(state, problem ?? sink.notice),
  })
}

/** Holds the lane until the broker lets us in, which shuts its owner before out (R9). */
async function connect(sink: MqttSink, { signal, draining, state, log }: ActorContext): Promise<void> {
  const over = AbortSignal.any([signal, draining])
  for (const wait = backoff(); !over.aborted; await delay(wait.next(), over)) {
    const problem = await sink.connect()
    if (problem === undefined) return log.debug('connected')
    state('holding', problem)
  }
}
