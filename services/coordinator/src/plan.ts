/**
 * plan(): what ought to run, who lives, and what the documents say now -> which documents to write. Pure: no clock, no
 * I/O. Called again and again; each call takes the next safe step.
 *
 * 1. An actor has one owner for each epoch, and (id, epoch) always says the same thing: whatever changes in an
 *    assignment (owner, process, version, `retire`) comes with a new epoch.
 * 2. Given to another instance only when no other one may still run it: each of them is lost or stopped, or has seen
 *    its newest document (term, revision) and shows neither there nor in its heartbeat that it has the actor. Of one
 *    that is deaf (`attention.ts`) only what it shows counts, and the epochs stop the rest.
 * 3. An instance that is paused, draining, stopped, lost or deaf has no actors in its document.
 * 4. A new leader first rewrites every document as it is, with its term, so that an older one's writes are refused; only
 *    then, knowing that what it sees is the newest, does it change anything.
 * 5. A document with a higher term is never overwritten: whoever sees one is not the leader any more.
 */
import { isDeepStrictEqual } from 'node:util'
import type { ActorAssignment, AssignmentDocument } from '@millrace/bus'
import { compare, share } from './balance.ts'
import type { Epochs } from './epoch.ts'
import {
  isFenced,
  isLive,
  living,
  type Revised,
  serviceOf,
  type Situation,
  takesActors,
  whatRuns,
} from './situation.ts'
import type { WantedActor } from './wanted.ts'

/** A document to write by compare-and-set; `revision` is 0 where there is none yet. */
export interface Write extends Revised<AssignmentDocument> {
  key: string
}

/** Another leader with a higher term has written: this one must step down at once. */
export class SupersededError extends Error {
  override name = 'SupersededError'
}

/**
 * The documents to write now, in this order (what only takes away comes first); call it again when they are written,
 * until there are none. Throws `SupersededError`, and `EpochsExhaustedError` when the term has no epochs left.
 */
export function plan(now: Situation, epochs: Epochs): Write[] {
  for (const { document } of now.documents.values()) {
    if (document.term > epochs.term) throw new SupersededError(`term ${document.term} is above ${epochs.term}`)
  }
  const keys = [...new Set([...now.documents.keys(), ...living(now)])].sort(compare)
  const foreign = keys.filter(key => now.documents.get(key)?.document.term !== epochs.term)
  if (foreign.length > 0) return foreign.map(key => claim(key, now, epochs.term))
  const owners = place(now)
  const writes = keys.flatMap(key => {
    const mine = now.wanted.filter(({ actor }) => owners.get(actor.id) === key)
    const write = { key, revision: now.documents.get(key)?.revision ?? 0, document: rewrite(key, mine, now, epochs) }
    return isDeepStrictEqual(write.document, now.documents.get(key)?.document) ? [] : [write]
  })
  return [...writes.filter(write => !gives(write, now)), ...writes.filter(write => gives(write, now))]
}

/** The document as it is, or an empty one, with this leader's term. */
function claim(key: string, { documents, instances }: Situation, term: number): Write {
  const { revision, document } = documents.get(key) ?? { revision: 0, document: undefined }
  const startId = document?.startId ?? instances.get(key)?.heartbeat.startId ?? ''
  return { key, revision, document: { term, startId, actors: document?.actors ?? [] } }
}

/** Who shall own each actor, as far as can be said now: actor id -> instance. */
function place(now: Situation): Map<string, string> {
  const held = holders(now)
  const running = whatRuns(now)
  const owners = new Map<string, string>()
  for (const service of new Set(now.wanted.map(wanted => wanted.service))) {
    const ids = now.wanted.filter(wanted => wanted.service === service).map(({ actor }) => actor.id)
    const takers = living(now).filter(key => serviceOf(key) === service && takesActors(key, now))
    const [seats, waiting] = [takers.filter(key => isLive(key, now)), takers.filter(key => !isLive(key, now))]
    const kept = ids.filter(id => waiting.includes(held.get(id)?.key ?? ''))
    for (const id of kept) owners.set(id, held.get(id)?.key ?? '')
    const rivals = running.filter(({ key }) => serviceOf(key) === service)
    const mayGo = (id: string, to: string) =>
      rivals.every(({ key, runs }) => key === to || (runs !== 'unknown' && !runs.has(id)))
    const rest = oldestFirst(
      ids.filter(id => !owners.has(id)),
      held,
    )
    for (const [id, key] of share(rest, seats, ownersOf(held), mayGo)) owners.set(id, key)
  }
  return owners
}

interface Hold {
  key: string
  epoch: number
}

/** Whose document names each actor; where two do (two leaders wrote at once), the higher epoch counts. */
function holders(now: Situation): Map<string, Hold> {
  const held = new Map<string, Hold>()
  for (const [key, { document }] of now.documents) {
    for (const { id, epoch } of document.actors) {
      if ((held.get(id)?.epoch ?? -1) < epoch) held.set(id, { key, epoch })
    }
  }
  return held
}

function ownersOf(held: ReadonlyMap<string, Hold>): Map<string, string> {
  return new Map([...held].map(([id, { key }]) => [id, key]))
}

/** What has run longest stays where it is when something has to move. */
function oldestFirst(ids: readonly string[], held: ReadonlyMap<string, Hold>): string[] {
  return [...ids].sort((a, b) => (held.get(a)?.epoch ?? 0) - (held.get(b)?.epoch ?? 0) || compare(a, b))
}

/** The instance's document with these actors: what stays as it was keeps its epoch, all else gets a new one. */
function rewrite(
  key: string,
  actors: readonly WantedActor[],
  { instances, documents }: Situation,
  epochs: Epochs,
): AssignmentDocument {
  const heartbeat = instances.get(key)?.heartbeat
  const before = documents.get(key)?.document
  const startId = heartbeat?.startId ?? before?.startId ?? ''
  const unchanged = new Map((before?.startId === startId ? before.actors : []).map(actor => [actor.id, actor]))
  const fenced = new Map(heartbeat?.actors.filter(isFenced).map(({ id, epoch }) => [id, epoch]))
  const assigned = actors.map(({ actor }): ActorAssignment => {
    const same = unchanged.get(actor.id)
    const stays = same !== undefined && isDeepStrictEqual(same, { ...actor, epoch: same.epoch })
    return stays && same.epoch !== fenced.get(actor.id) ? same : { ...actor, epoch: epochs.next() }
  })
  return { term: epochs.term, startId, actors: assigned.sort((a, b) => compare(a.id, b.id)) }
}

function gives({ key, document }: Write, { documents }: Situation): boolean {
  const before = new Set(documents.get(key)?.document.actors.map(({ id }) => id))
  return document.actors.some(({ id }) => !before.has(id))
}
