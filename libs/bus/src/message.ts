/** A message of a lane: its headers, written and read, and the lane's last one (R3, R4). */
import type { MsgRequest, StoredMsg } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/nats-core'
import type { Bus } from './connect.ts'
import { AlarmError } from './errors.ts'
import { dataStream, type LaneName, laneSubject } from './names.ts'
import type { Place } from './positions.ts'
import { isStreamMissing } from './refusals.ts'

/** What a message of a lane says of itself. */
export interface LaneHeader {
  /** `mr-epoch`: the fencing token of its writer. */
  epoch: number
  /** `mr-writer`: made anew each time that a lane is opened; tells apart two openings with one epoch. */
  writer: string
  /** `mr-base`: how many records the lane held before it. */
  base: number
  /** `mr-count`: its records; 0 in an opening batch, and in every part but the last. */
  count: number
  /** `mr-position`: where its source goes on after this message. */
  position: string
  /** `mr-first-time`: when its first record was read, in ms since the epoch. */
  firstTime?: number
  /** `mr-part`, e.g. `1/3`, where a batch is too large for one message. */
  part?: string
  /** `mr-source`: what is constant in the lane, as its source wrote it. */
  source?: string
  /** `traceparent`, where the batch is sampled. */
  traceparent?: string
}

/** The last message of a lane. */
export interface LaneEnd extends LaneHeader {
  sequence: number
}

/** As NATS headers. Absent ones are left out. A line break in a position or source is a defect, and throws. */
export function encodeHeader(header: LaneHeader): MsgHdrs {
  const encoded = headers()
  encoded.set('mr-epoch', String(header.epoch))
  encoded.set('mr-writer', header.writer)
  encoded.set('mr-base', String(header.base))
  encoded.set('mr-count', String(header.count))
  encoded.set('mr-position', header.position)
  if (header.firstTime !== undefined) encoded.set('mr-first-time', String(header.firstTime))
  if (header.part !== undefined) encoded.set('mr-part', header.part)
  if (header.source !== undefined) encoded.set('mr-source', header.source)
  if (header.traceparent !== undefined) encoded.set('traceparent', header.traceparent)
  return encoded
}

/** No coordinator gives out epochs from here on: half of the safe integers are left above whatever a stranger writes. */
const strangeEpoch = 2 ** 52

/** From NATS headers. AlarmError `lane_conflict` where they are none of ours: somebody else wrote into the lane. */
export function decodeHeader(encoded: MsgHdrs | undefined, sequence: number): LaneHeader {
  const [epoch, base, count] = ['mr-epoch', 'mr-base', 'mr-count'].map(name => wholeNumber(encoded?.get(name)))
  if (
    encoded === undefined ||
    epoch === undefined ||
    epoch >= strangeEpoch ||
    base === undefined ||
    count === undefined
  ) {
    throw new AlarmError('lane_conflict', `Message ${sequence} of the lane was not written by Millrace.`)
  }
  const [part, source, traceparent] = ['mr-part', 'mr-source', 'traceparent'].map(name => encoded.get(name))
  const firstTime = wholeNumber(encoded.get('mr-first-time'))
  return {
    epoch,
    base,
    count,
    writer: encoded.get('mr-writer'),
    position: encoded.get('mr-position'),
    ...(firstTime === undefined ? {} : { firstTime }),
    ...(part ? { part } : {}),
    ...(source ? { source } : {}),
    ...(traceparent ? { traceparent } : {}),
  }
}

/** An upper bound of the bytes that the headers of such a message take, those of compare-and-set included. */
export const headerBytes = (header: LaneHeader): number =>
  512 + Buffer.byteLength(header.position) + Buffer.byteLength(header.source ?? '')

/** The lane's last message as the stream's leader has it; undefined in a lane that nobody has opened yet. */
export async function readEnd(bus: Bus, lane: LaneName): Promise<LaneEnd | undefined> {
  const query = { last_by_subj: laneSubject(lane) }
  const message = await alarmed(lane, readMessage(bus, lane, query))
  return message === null ? undefined : { ...decodeHeader(message.header, message.seq), sequence: message.seq }
}

/**
 * Throws AlarmError where a position is beyond the lane's end, or its message is not the one that it speaks of (R5).
 * Before the first message there is nothing to compare.
 */
export async function checkPosition(bus: Bus, lane: LaneName, place: Place, records: number): Promise<void> {
  if (place.sequence === 0) return
  const end = await readEnd(bus, lane)
  if (end === undefined || end.sequence < place.sequence) {
    const found = end === undefined ? 'nothing' : `message ${end.sequence}`
    const where = `The position of ${laneSubject(lane)} is message ${place.sequence}`
    throw new AlarmError('position_beyond', `${where}, but the lane ends with ${found}.`)
  }
  await checkPlace(bus, lane, place, records)
}

/**
 * Throws AlarmError where the lane's message at a position is gone, was written by another opening of the lane, or does
 * not end after as many records as the position's totals say (R5, R12): it is then not the lane that the position
 * speaks of. Trimming leaves that message.
 */
export async function checkPlace(
  bus: Bus,
  lane: LaneName,
  { sequence, writer }: Place,
  records: number,
): Promise<void> {
  const subject = laneSubject(lane)
  const message = await alarmed(lane, readMessage(bus, lane, { seq: sequence }))
  const where = `The position of ${subject} is at message ${sequence}`
  if (message === null || message.subject !== subject) {
    throw new AlarmError('lane_gap', `${where}, and that message is gone.`)
  }
  const { base, count, writer: found } = decodeHeader(message.header, sequence)
  if (writer !== undefined && writer !== found) {
    throw new AlarmError('lane_replaced', `${where}, where another one stands now: was an older copy put back?`)
  }
  if (base + count !== records) {
    throw new AlarmError('totals_differ', `${where} after ${records} records; the lane says ${base + count}.`)
  }
}

/** Throws AlarmError where the route's stream is gone, or is that of an earlier route of the same name. */
export async function checkStream(bus: Bus, lane: LaneName, uid: string): Promise<void> {
  const stream = dataStream(lane.route)
  const { config } = await alarmed(lane, bus.call(bus.jsm.streams.info(stream)))
  if (config.metadata?.uid !== uid) {
    throw new AlarmError('stream_replaced', `${stream} belongs to another route of this name than the one placed here.`)
  }
}

/** With its payload: there is no asking for the headers alone. */
function readMessage(bus: Bus, lane: LaneName, query: MsgRequest): Promise<StoredMsg | null> {
  return bus.largeAnswers.pass(() => bus.call(bus.jsm.streams.getMessage(dataStream(lane.route), query)))
}

async function alarmed<T>(lane: LaneName, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!isStreamMissing(error)) throw error
    throw new AlarmError('stream_missing', `${dataStream(lane.route)} does not exist.`)
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}
