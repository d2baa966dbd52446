import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ServiceName } from '@millrace/bus'
import type { Family, Labels } from '@millrace/telemetry'
import type { Counts } from './counts.ts'
import type { PlacedView } from './placement.ts'

const counters = {
  in: 'Records stored in the lane.',
  out: 'Records that the sink has confirmed.',
  dead: 'Records made dead letters by the sink.',
  filtered: "Records taken out by the route's filter, or because their time had passed.",
  refused: 'Records made dead letters by the source.',
  parked: 'Records set aside because their key is parked.',
  duplicates: 'Records known to have come or gone twice.',
  dropped: 'QoS 0 messages for which there was no room.',
  skipped: 'Offsets that a log no longer had when they were to be read.',
  expired: 'Records left out because their time had passed.',
} satisfies Partial<Record<keyof Counts, string>>

/** What the actors of an instance show at `/metrics`, by route, lane and role. */
export function actorFamilies(actors: readonly PlacedView[], instance: string): Family[] {
  const of = (value: (actor: PlacedView) => number) =>
    actors.map(actor => ({ labels: labelsOf(actor), value: value(actor) }))
  return [
    ...countKeys.map(
      (key): Family => ({
        name: `millrace_records_${key}_total`,
        help: counters[key],
        type: 'counter',
        series: of(({ measures }) => measures.counts[key]),
      }),
    ),
    {
      name: 'millrace_headers_left_out_total',
      help: "Headers that the sink's protocol can't carry.",
      type: 'counter',
      series: of(({ measures }) => measures.counts.leftOut),
    },
    {
      name: 'millrace_gaps_total',
      help: 'Times that a log did not go on where it had been read to, and its route goes on with what is left.',
      type: 'counter',
      series: of(({ measures }) => measures.counts.gaps),
    },
    {
      name: 'millrace_records_pending',
      help: 'Records that wait: in the lane (sinks), or to be stored (sources).',
      type: 'gauge',
      series: of(({ measures }) => measures.counts.pending),
    },
    ...standing(actors, instance),
    {
      name: 'millrace_epoch',
      help: 'The epoch under which it owns the actor.',
      type: 'gauge',
      series: of(({ assignment }) => assignment.epoch),
    },
    {
      name: 'millrace_latency_seconds',
      help: "From a record's timestamp to its acknowledgement (sources) or its confirmation (sinks).",
      type: 'histogram',
      series: actors.map(actor => ({ labels: labelsOf(actor), value: actor.measures.latency })),
    },
  ]
}

/** How actors do, and whose they are: what is no number is a label. */
function standing(actors: readonly PlacedView[], instance: string): Family[] {
  const gauge = (name: string, help: string, labels: (actor: PlacedView) => Labels[]): Family => ({
    name,
    help,
    type: 'gauge',
    series: actors.flatMap(actor => labels(actor).map(more => ({ labels: { ...labelsOf(actor), ...more }, value: 1 }))),
  })
  return [
    gauge('millrace_actor_state', 'The state that the actor is in, as a label.', ({ state }) => [{ state }]),
    gauge(
      'millrace_actor_problem',
      'What the actor holds or failed for, or what must be known of it, as a label.',
      ({ problems }) => problems.map(({ code }) => ({ code })),
    ),
    gauge('millrace_owner', 'Which instance owns the actor.', () => [{ instance }]),
  ]
}

const countKeys = [
  'in',
  'out',
  'dead',
  'filtered',
  'refused',
  'parked',
  'duplicates',
  'dropped',
  'skipped',
  'expired',
] as const

function labelsOf({ assignment: { route, lane, role } }: PlacedView): Labels {
  return { route, lane, role }
}

/** What the process shows at `/metrics`. Measures the event loop until it is disposed of. */
export function processFamilies(service: ServiceName): Disposable & { families(): Family[] } {
  const loop = monitorEventLoopDelay({ resolution: 100 })
  loop.enable()
  const family = (type: 'counter' | 'gauge', name: string, help: string, value: number): Family => ({
    name,
    help,
    type,
    series: [{ labels: { service }, value }],
  })
  return {
    families() {
      const { user, system } = process.cpuUsage()
      const lag = loop.max / 1e9
      loop.reset()
      return [
        family('counter', 'process_cpu_seconds_total', 'CPU time used.', (user + system) / 1e6),
        family('gauge', 'process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
        family('gauge', 'process_start_time_seconds', 'When the process began.', performance.timeOrigin / 1_000),
        family(
          'gauge',
          'millrace_event_loop_lag_seconds',
          'The longest delay of the event loop since the last scrape.',
          lag,
        ),
      ]
    },
    [Symbol.dispose]: () => loop.disable(),
  }
}
