/** Streams and buckets: made, changed, trimmed and deleted here, and by the coordinator alone. */
import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
  type StreamUpdateConfig,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import type { Bus } from './connect.ts'
import { AlarmError } from './errors.ts'
import {
  type BucketName,
  dataStream,
  deadLetterStream,
  encodeToken,
  type LaneName,
  laneOfSubject,
  laneSubject,
} from './names.ts'
import { isStreamMissing } from './refusals.ts'

/** The streams of a route. */
export interface RouteStreams {
  route: string
  uid: string
  maxBytes: number
  /**
   * The sequence of the first record batch, where the stream is made; at least 1, below 2^53; 1 unless said. Above all
   * those of an earlier stream of that name, nothing that was meant for that one (a purge, an append) fits this one.
   */
  firstSequence?: number
  deadLetters: {
    maxBytes: number
    /** Milliseconds; absent: for ever. */
    maxAge?: number
  }
  replicas: number
}

/** Nobody can delete single messages, and nobody reads from a replica. */
const safe = {
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.New,
  deny_delete: true,
  allow_direct: false,
  allow_rollup_hdrs: false,
} as const

/**
 * Creates the route's two streams, or changes them where they differ. AlarmError `stream_replaced` where a stream of
 * that name belongs to another uid. JetStreamApiError where the server refuses, e.g. for want of space.
 */
export async function makeRouteStreams(bus: Bus, streams: RouteStreams): Promise<void> {
  const { route, uid, maxBytes, firstSequence = 1, deadLetters, replicas } = streams
  const token = encodeToken(route)
  const common = { ...safe, metadata: { uid }, num_replicas: replicas }
  await makeStream(bus, {
    ...common,
    name: dataStream(route),
    subjects: [`mr.d.*.${token}.*`, `mr.p.*.${token}.*`],
    max_bytes: maxBytes,
    first_seq: firstSequence,
  })
  await makeStream(bus, {
    ...common,
    name: deadLetterStream(route),
    subjects: [`mr.x.*.${token}.*`],
    max_bytes: deadLetters.maxBytes,
    max_age: nanos(deadLetters.maxAge ?? 0),
  })
}

/** Creates a bucket's stream, or changes it where it differs. One message a key; a document is at most 1 MiB. */
export async function makeBucket(bus: Bus, name: BucketName, replicas: number): Promise<void> {
  await makeStream(bus, {
    ...safe,
    name: `KV_${name}`,
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    max_bytes: 16 * 2 ** 20,
    num_replicas: replicas,
  })
}

/** Deletes both streams of a route, records and all. Those of another uid are left alone. */
export async function deleteRouteStreams(bus: Bus, route: string, uid: string): Promise<void> {
  for (const stream of [dataStream(route), deadLetterStream(route)]) {
    const info = await streamInfo(bus, stream)
    if (info?.config.metadata?.uid === uid) await bus.call(bus.jsm.streams.delete(stream))
  }
}

/** A stream's configuration and state, or undefined where there is none. */
export async function streamInfo(bus: Bus, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await bus.call(bus.jsm.streams.info(stream))
  } catch (error) {
    if (isStreamMissing(error)) return undefined
    throw error
  }
}

/** The lanes that hold something in the route's stream. Subjects that name no lane of ours are left out. */
export async function lanesOf(bus: Bus, route: string): Promise<LaneName[]> {
  const filter = { subjects_filter: `mr.d.*.${encodeToken(route)}.*` }
  const { state } = await bus.call(bus.jsm.streams.info(dataStream(route), filter))
  return Object.keys(state.subjects ?? {}).flatMap(laneIn)
}

function laneIn(subject: string): LaneName[] {
  try {
    return [laneOfSubject(subject)]
  } catch (error) {
    if (error instanceof RangeError) return []
    throw error
  }
}

/**
 * Removes what the lane holds before this sequence; that message, and so the lane's newest, stays. Returns how many
 * messages went. RangeError for anything but a sequence of at least 1: the server reads 0 as "everything".
 */
export async function trimLane(bus: Bus, lane: LaneName, sequence: number): Promise<number> {
  if (!Number.isSafeInteger(sequence) || sequence < 1) {
    throw new RangeError(`A lane is trimmed up to a sequence of at least 1, not ${sequence}.`)
  }
  const purge = { filter: laneSubject(lane), seq: sequence }
  const { purged } = await bus.call(bus.jsm.streams.purge(dataStream(lane.route), purge))
  return purged
}

type Made = Partial<StreamConfig> & Partial<StreamUpdateConfig> & { name: string }

async function makeStream(bus: Bus, { first_seq = 1, ...config }: Made): Promise<void> {
  const there = await streamInfo(bus, config.name)
  if (there === undefined) {
    await bus.call(bus.jsm.streams.add({ ...config, first_seq }))
  } else if (there.config.metadata?.uid !== config.metadata?.uid) {
    throw new AlarmError('stream_replaced', `${config.name} belongs to another route of this name.`)
  } else if (differs(there.config, config)) {
    await bus.call(bus.jsm.streams.update(config.name, config))
  }
}

/** Of what we set; the server adds defaults of its own. */
const differs = (there: StreamConfig, wanted: Made): boolean =>
  there.max_bytes !== wanted.max_bytes ||
  there.num_replicas !== wanted.num_replicas ||
  (wanted.max_age !== undefined && there.max_age !== wanted.max_age)
