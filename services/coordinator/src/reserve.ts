/**
 * JetStream reserves a stream's bytes when the stream is made. So an apply makes the streams of its new routes, and
 * resizes those of changed ones, before it writes anything: where there is no room, it is refused whole.
 */
import {
  AlarmError,
  type Bucket,
  type Bus,
  dataStream,
  deleteRouteStreams,
  makeRouteStreams,
  type Problem,
  type RoutesDocument,
  streamInfo,
} from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KnownRoute } from './route-lanes.ts'
import { routeStreams } from './provision.ts'
import { spaceLeft } from './space.ts'

/** What JetStream calls its limits: of the account, of the server, of memory and of files. */
const noRoom = [10002, 10023, 10028, 10047]

/** How old a stream must be before it can be one that an apply has left: an apply of right now may have made it. */
const leftAfter = 60_000

/** Where streams are made. */
export interface Room {
  bus: Bus
  /** Where routes are kept. */
  routes: Bucket<RoutesDocument>
  replicas: number
  monitorUrl: string | undefined
}

/** A route of an apply; `before` is the one that it replaces. */
export interface Reservation {
  after: KnownRoute
  before: KnownRoute | undefined
}

/**
 * Makes the streams. Where one can't be had, what was made for the others is given back, and the problem says why:
 * `no_space`, or `left_over` where a stream of an earlier route of that name still holds something.
 */
export async function reserve(room: Room, wanted: readonly Reservation[]): Promise<Problem | undefined> {
  const made: Reservation[] = []
  for (const reservation of wanted) {
    made.push(reservation)
    const problem = await makeOne(room, reservation)
    if (problem === undefined) continue
    for (const it of made) await giveBack(room, it)
    return problem
  }
  return undefined
}

async function makeOne(room: Room, { after, before }: Reservation): Promise<Problem | undefined> {
  const { name, uid, spec } = after
  try {
    if (before === undefined) await removeLeftOver(room, name, uid)
    await makeRouteStreams(room.bus, routeStreams(name, uid, spec, room.replicas))
    return undefined
  } catch (error) {
    if (error instanceof AlarmError) return leftOver(error)
    if (!(error instanceof JetStreamApiError)) throw error
    if (noRoom.includes(error.code)) return noSpace(room, after, error)
    return { code: 'stream_refused', message: `Route ${name}: nats-server refused its stream: ${error.message}.` }
  }
}

/**
 * An apply that was cut off may have left streams: they hold nothing, no route of now has their uid, and they are not
 * of this minute, by this machine's clock and that of nats-server.
 */
async function removeLeftOver({ bus, routes }: Room, name: string, uid: string): Promise<void> {
  const there = await streamInfo(bus, dataStream(name))
  const owner = there?.config.metadata?.['uid']
  if (there === undefined || owner === undefined || owner === uid) return
  if (there.state.messages > 0 || Date.now() - Date.parse(there.created) < leftAfter) return
  const newest = await routes.read('current')
  if (newest !== undefined && newest.value.routes[name]?.uid !== owner) await deleteRouteStreams(bus, name, owner)
}

function leftOver({ message }: AlarmError): Problem {
  const hint = 'If it is empty, left by an apply that was cut off, it goes when it is a minute old: apply again then.'
  return { code: 'left_over', message: `${message} ${hint}` }
}

async function giveBack({ bus, replicas }: Room, { after, before }: Reservation): Promise<void> {
  if (before === undefined) await deleteRouteStreams(bus, after.name, after.uid)
  else await makeRouteStreams(bus, routeStreams(before.name, before.uid, before.spec, replicas))
}

async function noSpace({ bus, monitorUrl }: Room, { name, spec }: KnownRoute, error: Error): Promise<Problem> {
  const left = await spaceLeft(bus, monitorUrl)
  const has = left === undefined ? '' : `, and JetStream has ${mebibytes(left)} left`
  const message = `Route ${name} asks for ${mebibytes(spec.buffer.maxBytes)} (buffer) and ${mebibytes(spec.deadLetters.maxBytes)} (deadLetters)${has}: ${error.message}. Ask for less, or give nats-server a larger max_file_store.`
  return { code: 'no_space', message }
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`
}
