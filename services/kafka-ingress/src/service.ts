/**
 * kafka-ingress: one source actor a partition, and one lister a route, which finds the partitions.
 *
 *   Kafka <-- Fetch ------------ source.ts --> libs/lane Writer -- batches as they were fetched --> JetStream
 *   Kafka <-- OffsetCommit ----- group.ts <-- stored <------------------------------- PubAck ----- JetStream
 *   Kafka <-- Metadata --------- lister.ts --> heartbeat --> coordinator, which places a source for each partition
 */
import { type ActorAssignment, type AppenderOptions, openLane } from '@millrace/bus'
import { type ActorContext, type PlacedService, sourceSide } from '@millrace/host'
import { openWriter } from '@millrace/lane'
import { largestRecord } from '@millrace/routes'
import { keepListing } from './lister.ts'
import { neverRead, partitionOf } from './position.ts'
import { Source } from './source.ts'

/** How much of a lane may be unstored (R8), and where the route's buffer is small, less: one Fetch is stored at a time. */
const most = { records: 100_000, bytes: 4 * 2 ** 20 }
/** A larger record becomes a dead letter, whatever the route says. */
const mostRecordBytes = 8 * 2 ** 20

/** What the process runs. */
export const service: PlacedService = {
  name: 'kafka-ingress',
  settings: {},
  async start(actor, context) {
    if (actor.role === 'lister') return keepListing(actor, context)
    if (actor.retire) return actor.discard ? undefined : close(actor, context)
    return read(actor, context)
  },
}

async function read(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const { counts, route } = context
  const { maxRecordBytes: _, ...unlimited } = route
  const share = { ...most, bytes: Math.min(most.bytes, 4 * largestRecord(unlimited)) }
  const ended = new AbortController()
  const signal = AbortSignal.any([context.signal, ended.signal])
  const source: Source = new Source({ ...context, signal }, partitionOf(actor.lane), start =>
    openWriter({
      ...sideOf(actor, context),
      signal,
      start,
      events: source,
      share,
      maxRecordBytes: Math.min(mostRecordBytes, largestRecord(route)),
      tell: source.tellStoring,
      counts,
    }),
  )
  try {
    await source.run()
  } finally {
    ended.abort()
  }
}

/**
 * The lane is given up: nothing more is read. An opening shuts out whoever may still be writing there (R3), and keeps the
 * position, for the lane's topic may be named again.
 */
async function close(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const tell: AppenderOptions['tell'] = problem => problem && context.state('holding', problem)
  await openLane({ ...sideOf(actor, context), tell, start: previous => previous ?? neverRead })
}

/** Its side of the lane, every message of which names the partition. */
function sideOf(actor: ActorAssignment, context: ActorContext) {
  return { ...sourceSide(service.name, actor, context), source: JSON.stringify(partitionOf(actor.lane)) }
}
