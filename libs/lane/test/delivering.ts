/** Sides of lanes that deliver to a sink of the test's, and what they are given to deliver. */
import { type Bus, type LaneAppender, type LaneName, openLane, positionKey, type PositionDocument } from '@millrace/bus'
import type { Installation } from '@millrace/testkit'
import { deliver, type DeliverOptions } from '../src/index.ts'
import { batchOf } from './records.ts'
import type { TestSink } from './sink.ts'

/** One that runs. */
interface Running {
  sink: TestSink
  states: string[]
  counts: DeliverOptions['counts']
  ended: Promise<void>
  drain: () => Promise<void>
  abort: () => Promise<void>
}

/** Which lane, and to which sink; `options` are those of `deliver` that are not as usual. */
interface Wish {
  bus: Bus
  lane: LaneName
  signal: AbortSignal
  sink: TestSink
  options: Partial<DeliverOptions>
}

/** Delivers a lane until it is drained or aborted. */
export function delivering({ bus, lane, signal, sink, options }: Wish): Running {
  const [stop, draining] = [new AbortController(), new AbortController()]
  const states: string[] = []
  const counts = { out: 0, dead: 0, filtered: 0, pending: 0 }
  const ended = deliver({
    bus,
    lane,
    sinkService: 'kafka-egress',
    uid: lane.route.toUpperCase(),
    epoch: 1,
    sink: sink.port,
    signal: AbortSignal.any([stop.signal, signal]),
    draining: draining.signal,
    state: (state, problem) => states.push(problem === undefined ? state : `${state} ${problem.code}`),
    counts,
    ...options,
  })
  ended.catch(() => {})
  const end = (controller: AbortController) => {
    controller.abort()
    return ended
  }
  return { sink, states, counts, ended, drain: () => end(draining), abort: () => end(stop) }
}

/** Opens a lane for writing. */
export const open = (bus: Bus, lane: LaneName, signal: AbortSignal): Promise<LaneAppender> =>
  openLane({ bus, lane, uid: lane.route.toUpperCase(), epoch: 1, signal, start: () => 'start', tell() {} })

/** Appends one message with these values. */
export const append = (appender: LaneAppender, ...values: string[]): Promise<unknown> =>
  appender.append({ payload: batchOf(...values), count: values.length, position: 'p' })

/** The lane's position on the bus. */
export async function committed(installation: Installation, lane: LaneName): Promise<PositionDocument | undefined> {
  return (await installation.positions().read(positionKey({ ...lane, service: 'kafka-egress' })))?.value
}
