/** lane -> MQTT: one sink actor a lane, each with a client id of its own. */
import { backoff, delay } from '@millrace/actor'
import type { ActorAssignment } from '@millrace/bus'
import { type ActorContext, type PlacedService, sinkSide } from '@millrace/host'
import { deliver } from '@millrace/lane'
import { MqttSink } from './sink.ts'

/** What the process runs. */
export const service: PlacedService = { name: 'mqtt-egress', settings: {}, start }

async function start(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const side = sinkSide(service.name, actor, context)
  const sink = new MqttSink(actor, context)
  await connect(sink, context)
  const state: ActorContext['state'] = (state, problem) => context.state(state, problem ?? sink.notice)
  const ended = new AbortController()
  const over = AbortSignal.any([context.signal, context.draining, ended.signal])
  const connected = stayConnected(sink, { state, over })
  // Whoever awaits it below sees the error.
  connected.catch(() => {})
  try {
    await deliver({ ...side, sink, state })
  } finally {
    ended.abort()
    await connected
  }
}

/** A connection that lasted so many milliseconds has held: the back-off begins anew. */
const heldAfter = 5_000

/**
 * Connects again when the connection ends while nothing is to be delivered, and tells that it is gone: else the next
 * record would find out. While something is, its delivery connects, and tells.
 */
async function stayConnected(
  sink: MqttSink,
  { state, over }: { state: ActorContext['state']; over: AbortSignal },
): Promise<void> {
  const wait = backoff()
  let isTold = false
  for (let begun = performance.now(); !over.aborted; ) {
    await sink.disconnected
    if (performance.now() - begun >= heldAfter) wait.reset()
    await delay(wait.next(), over)
    if (over.aborted) return
    begun = performance.now()
    const problem = await sink.connect()
    if (problem === undefined) {
      if (isTold) state('running')
      isTold = false
    } else if (sink.idle) {
      state('holding', problem)
      isTold = true
    }
  }
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
