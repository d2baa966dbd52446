/** What the coordinator sees, and the questions that its decisions ask of it. Pure. */
import type { ActorReport, AssignmentDocument, InstanceDocument } from '@millrace/bus'
import { mostActors } from './balance.ts'
import type { Presence } from './liveness.ts'
import type { WantedActor } from './wanted.ts'

/** An instance as its last heartbeat shows it. */
export interface Instance {
  /** `deaf`: it is heard, and does not hear (`attention.ts`). */
  presence: Presence | 'deaf'
  heartbeat: InstanceDocument
}

/** A document and the revision at which it was read, which the next write must name. */
export interface Revised<T> {
  revision: number
  document: T
}

/** Everything that a plan rests on. Keys are `<service>.<instance>`. */
export interface Situation {
  wanted: readonly WantedActor[]
  instances: ReadonlyMap<string, Instance>
  documents: ReadonlyMap<string, Revised<AssignmentDocument>>
}

/** How many wanted actors nobody has been given yet. */
export function unplaced({ wanted, documents }: Situation): number {
  const placed = new Set([...documents.values()].flatMap(({ document }) => document.actors.map(({ id }) => id)))
  return wanted.filter(({ actor }) => !placed.has(actor.id)).length
}

/** The services that have more actors than their instances can hold, and how many more. */
export function overflowing(now: Situation): [service: string, actors: number][] {
  const takers = living(now).filter(key => takesActors(key, now))
  return [...new Set(takers.map(serviceOf))].flatMap((service): [string, number][] => {
    const room = mostActors * takers.filter(key => serviceOf(key) === service).length
    const wanted = now.wanted.filter(it => it.service === service).length
    return wanted > room ? [[service, wanted - room]] : []
  })
}

/** The service of an instance's key. Neither part holds a dot. */
export function serviceOf(key: string): string {
  return key.slice(0, key.indexOf('.'))
}

/** The instances that are not gone, by key. */
export function living({ instances }: Situation): string[] {
  return [...instances].filter(([, instance]) => !isGone(instance)).map(([key]) => key)
}

/** Nothing runs there any more, or nothing that R11 and the fences would let succeed. */
export function isGone(instance: Instance | undefined): boolean {
  return instance === undefined || instance.presence === 'lost' || instance.heartbeat.state === 'stopped'
}

/** A paused, draining, stopped or deaf instance gets no actors. */
export function takesActors(key: string, now: Situation): boolean {
  const instance = now.instances.get(key)
  return instance?.heartbeat.state === 'running' && instance.presence !== 'deaf'
}

/** Its heartbeat was seen to change, lately. */
export function isLive(key: string, now: Situation): boolean {
  return now.instances.get(key)?.presence === 'live'
}

/** What an instance may run: these actors, or `unknown` while it has not said that it saw its newest document. */
export interface Running {
  key: string
  runs: ReadonlySet<string> | 'unknown'
}

/** What each instance that is not gone may still run, by all that it has said and been told. */
export function whatRuns(now: Situation): Running[] {
  return living(now).map(key => {
    const { heartbeat, presence } = now.instances.get(key) ?? {}
    const told = now.documents.get(key)
    const mayYetSee = told !== undefined && heartbeat !== undefined && !hasSeen(heartbeat, told)
    if (mayYetSee && presence !== 'deaf') return { key, runs: 'unknown' }
    const actors = [...(heartbeat?.actors ?? []), ...(told?.document.actors ?? [])]
    return { key, runs: new Set(actors.map(({ id }) => id)) }
  })
}

/** Its newest document is the one that it names in its heartbeat. */
export function hasSeen(heartbeat: InstanceDocument, { revision, document }: Revised<AssignmentDocument>): boolean {
  return heartbeat.term === document.term && heartbeat.revision === revision
}

/** It met a higher epoch than its own, and has given up: only a new epoch helps. */
export function isFenced({ state, problem }: ActorReport): boolean {
  return state === 'failed' && problem?.code === 'fenced'
}
