/**
 * mqtt-ingress: one source actor a subscriber slot.
 *
 *   MQTT broker -- PUBLISH --> libs/mqtt Session -> source.ts -> toRecord -> libs/lane Writer -- batch --> JetStream
 *   MQTT broker <- PUBACK ---- in order, in one write <--------- stored <--------------------- PubAck ---- JetStream
 */
import { type PlacedService, sourceSide } from '@millrace/host'
import { openWriter } from '@millrace/lane'
import { largestRecord } from '@millrace/routes'
import { discardSession, slotId } from './connection.ts'
import { Source } from './source.ts'

/** How much of a lane may be unstored (R8). The records are also what the broker is told as Receive Maximum. */
const share = { records: 10_000, bytes: 32 * 2 ** 20 }

/** What the process runs. */
export const service: PlacedService = {
  name: 'mqtt-ingress',
  settings: {},
  async start(actor, context) {
    const { lane } = actor
    if (actor.discard) {
      const clientId = slotId(context, lane)
      return discardSession(context, { clientId, receiveMaximum: share.records, signal: context.signal })
    }
    const ended = new AbortController()
    const signal = AbortSignal.any([context.signal, ended.signal])
    const slot = { lane, signal, retire: actor.retire ?? false, receiveMaximum: share.records }
    const source: Source = new Source(context, slot, start =>
      openWriter({
        ...sourceSide(service.name, actor, context),
        signal,
        start,
        events: source,
        share,
        maxRecordBytes: Math.min(share.bytes / 4, largestRecord(context.route)),
        tell: source.tellStoring,
        counts: context.counts,
      }),
    )
    try {
      await source.run()
    } finally {
      ended.abort()
    }
  },
}
