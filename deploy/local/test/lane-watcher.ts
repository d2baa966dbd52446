/**
 * Somebody outside who sees every message of a route's lanes, as nats-server hands it out, while the coordinator trims
 * them. It reads the headers by itself, so that it shares no mistake with the code that is watched.
 *
 * What must hold in each lane (R4, R12): the first message is an opening batch; `mr-base` is what came before, to the
 * record; `mr-epoch` never goes back. What does not hold is in `wrong`.
 */
import { connectBus, dataStream } from '@millrace/bus'
import { BatchReader, type Record, recordOf } from '@millrace/record'
import type { Msg } from '@nats-io/nats-core'
import type { Whole } from './whole.ts'

/** A lane so far. */
export interface WatchedLane {
  messages: number
  /** `mr-base` + `mr-count` of the last message. */
  records: number
  epoch: number
  /** How many records the lane held after each of its messages, by sequence. */
  after: Map<number, number>
}

/** Told of each record that is stored in a lane, in its order. Without it, payloads are not looked into. */
export type OnRecord = (record: Record) => void

export interface LaneWatcher extends AsyncDisposable {
  /** By route and lane, e.g. `ledger.0`. */
  readonly lanes: ReadonlyMap<string, WatchedLane>
  /** What may not be, a sentence each. */
  readonly wrong: readonly string[]
}

/** Watches these routes from their first message on. They have been applied, and nothing was published yet. */
export async function watchLanes(whole: Whole, routes: string[], onRecord?: OnRecord): Promise<LaneWatcher> {
  const { natsUrl: url, passwords } = whole.fleet
  const { signal } = new AbortController()
  // The user that may read lanes.
  const user = 'kafka-egress'
  const bus = await connectBus({ url, user, password: passwords?.[user] ?? '', name: 'watcher', signal })
  const lanes = new Map<string, WatchedLane>()
  const wrong: string[] = []
  for (const route of routes) {
    const inbox = bus.newInbox()
    let came = 0
    bus.nc.subscribe(inbox, {
      callback: (_, message) => {
        const { delivered, sequence } = placeOf(message)
        if (delivered !== ++came) wrong.push(`the watcher missed a message of ${route} before ${sequence}`)
        wrong.push(...look(lanes, message, sequence))
        if (onRecord !== undefined) for (const record of recordsOf(message)) onRecord(record)
      },
    })
    await bus.jsm.consumers.add(dataStream(route), {
      name: `watcher-${route}`,
      filter_subject: `mr.d.mqtt-ingress.${route}.*`,
      deliver_subject: inbox,
      deliver_policy: 'all',
      ack_policy: 'none',
      mem_storage: true,
    })
  }
  return { lanes, wrong, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() }
}

/** Notes the message in its lane; returns what is wrong with it. */
function look(lanes: Map<string, WatchedLane>, { subject, headers }: Msg, sequence: number): string[] {
  const [epoch = NaN, base = NaN, count = NaN] = ['mr-epoch', 'mr-base', 'mr-count'].map(name =>
    Number(headers?.get(name) || NaN),
  )
  const key = subject.split('.').slice(3).join('.')
  const lane = lanes.get(key) ?? { messages: 0, records: 0, epoch, after: new Map() }
  const wrong = [
    ...(lane.messages > 0 || count === 0 ? [] : [`${key} does not begin with an opening batch`]),
    ...(base === lane.records
      ? []
      : [`message ${sequence} of ${key} has mr-base ${base} after ${lane.records} records`]),
    ...(epoch >= lane.epoch ? [] : [`message ${sequence} of ${key} has epoch ${epoch} after ${lane.epoch}`]),
  ]
  lane.messages += 1
  lane.records = base + count
  lane.epoch = epoch
  lane.after.set(sequence, lane.records)
  lanes.set(key, lane)
  return wrong
}

/** The reply subject says it: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>...`. */
function placeOf({ reply = '' }: Msg): { sequence: number; delivered: number } {
  const [sequence, delivered] = reply.split('.').slice(5, 7).map(Number)
  return { sequence: sequence ?? NaN, delivered: delivered ?? NaN }
}

/** The records of a message that holds whole batches; none in an opening batch. */
function* recordsOf({ data }: Msg): Generator<Record> {
  if (data.length === 0) return
  const reader = new BatchReader({ maxBytes: 2 ** 28 })
  reader.open(Buffer.from(data))
  while (reader.next()) yield recordOf(reader.view)
}
