/** What the command line asks the leader: `apply` and `delete`. */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  AlarmError,
  ConflictError,
  deadLetterStream,
  type Problem,
  type RoutesDocument,
  streamInfo,
} from '@millrace/bus'
import { z } from 'zod'
import { type Applied, applied, deleted, type Deletion } from './apply.ts'
import { readBacklog } from './lane-end.ts'
import { type Reservation, reserve, type Room } from './reserve.ts'
import { type KnownRoute, knownRoutes } from './route-lanes.ts'
import type { Revised } from './situation.ts'
import type { Store } from './store.ts'
import type { Turns } from './turns.ts'

const specs = z.record(z.string(), z.unknown())
const applyRequest = z.object({ connections: specs, routes: specs, dryRun: z.boolean().default(false) })
const deleteRequest = z.object({
  routes: z.array(z.string()),
  connections: z.array(z.string()).default([]),
  discard: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})

/** Who leads, and may change the routes. */
export interface Office {
  store: Store
  room: Room
  /** Each change is made whole before the next one looks: it makes and removes streams. */
  turns: Turns
  /** Whether this process leads now. */
  readonly leads: () => boolean
}

type Answer = { problem: Problem } | Record<string, unknown>

/** How often an apply is tried again when the routes have changed under it. */
const attempts = 5

/** Adds or replaces what is named, whole or not at all. Answers `{revision, changes}`. */
export async function answerApply(office: Office, request: unknown): Promise<Answer> {
  const read = applyRequest.safeParse(request)
  if (!read.success) return badRequest(read.error)
  const uid = uidsByName()
  const make = async (before: RoutesDocument): Promise<Applied> => {
    const result = applied(before, read.data, uid)
    if ('problem' in result || read.data.dryRun) return result
    const problem = await reserve(office.room, reservations(before, result.document))
    return problem === undefined ? result : { problem }
  }
  return office.turns.take(() => change(office, read.data.dryRun, make))
}

/** Marks what is named as deleting. Answers `{revision, deleted: [{kind, name, pending, deadLetters}]}`. */
export async function answerDelete(office: Office, request: unknown): Promise<Answer> {
  const read = deleteRequest.safeParse(request)
  if (!read.success) return badRequest(read.error)
  const { dryRun, ...deletion } = read.data
  const holdings = new Map<string, Holding>()
  const make = async (before: RoutesDocument): Promise<Applied> => {
    const known = knownRoutes(before)
    for (const name of deletion.routes) {
      const route = known.find(route => route.name === name)
      holdings.set(name, await holdingOf(office, name, route))
    }
    return deleted(before, deletion)
  }
  const answer = await office.turns.take(() => change(office, dryRun, make))
  return 'revision' in answer ? { revision: answer['revision'], deleted: report(deletion, holdings) } : answer
}

/** What a route's streams hold. */
interface Holding {
  /** Records that are stored and not delivered; null where nobody can tell. */
  pending: number | null
  /** Messages in its dead-letter stream, which goes with the route: one a dead letter, of a large one several. */
  deadLetters: number
}

const nothing: Holding = { pending: 0, deadLetters: 0 }

async function holdingOf(office: Office, name: string, route: KnownRoute | undefined): Promise<Holding> {
  const letters = await streamInfo(office.room.bus, deadLetterStream(name))
  return { pending: await pendingOf(office, route), deadLetters: letters?.state.messages ?? 0 }
}

/** What `--discard` throws away. Where nobody can tell, null: such a route must be possible to delete. */
async function pendingOf({ room, store }: Office, route: KnownRoute | undefined): Promise<number | null> {
  if (route === undefined) return null
  let pending = 0
  try {
    for (const lane of [...route.lanes, ...route.retiring]) {
      pending += (await readBacklog({ bus: room.bus, store }, route, lane)).pending
    }
    return pending
  } catch (error) {
    if (error instanceof AlarmError) return null
    throw error
  }
}

function report({ routes, connections }: Deletion, holdings: ReadonlyMap<string, Holding>) {
  return [
    ...routes.map(name => ({ kind: 'Route', name, ...(holdings.get(name) ?? nothing) })),
    ...connections.map(name => ({ kind: 'Connection', name, ...nothing })),
  ]
}

/** Reads the routes, works out what they shall be, writes that; again where somebody else was faster. */
async function change(
  office: Office,
  dryRun: boolean,
  make: (before: RoutesDocument) => Promise<Applied>,
): Promise<Answer> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (!office.leads()) return refusal('not_leader', 'Another coordinator leads now: ask again.')
    const there = await office.store.routes.bucket.read('current')
    if (there === undefined) return refusal('not_leader', 'The coordinator is still starting: ask again.')
    const result = await make(there.value)
    if ('problem' in result) return result
    const same = dryRun || isDeepStrictEqual(result.document, there.value)
    if (!same && !office.leads()) continue
    const revision = same ? there.revision : await write(office.store, result.document, there)
    if (revision !== undefined) return { revision, changes: result.changes }
  }
  return refusal('conflict', 'The routes were changed by others at the same time, five times over: ask again.')
}

async function write(store: Store, document: RoutesDocument, there: Pick<Revised<unknown>, 'revision'>) {
  try {
    return await store.routes.write('current', document, there.revision)
  } catch (error) {
    if (error instanceof ConflictError) return undefined
    throw error
  }
}

/** The streams that must be made or resized before the routes may say so. */
function reservations(before: RoutesDocument, after: RoutesDocument): Reservation[] {
  const old = new Map(knownRoutes(before).map(route => [route.name, route]))
  return knownRoutes(after)
    .map(route => ({ after: route, before: old.get(route.name) }))
    .filter(({ after, before }) => after.version !== before?.version)
}

/** A uid for each new route, the same in each attempt. */
function uidsByName(): (name: string) => string {
  const uids = new Map<string, string>()
  return name => {
    const uid = uids.get(name) ?? randomUUID()
    uids.set(name, uid)
    return uid
  }
}

function badRequest(error: z.ZodError): Answer {
  return refusal('bad_request', z.prettifyError(error))
}

function refusal(code: string, message: string): Answer {
  return { problem: { code, message } }
}
