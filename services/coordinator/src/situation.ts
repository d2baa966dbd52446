/** What the coordinator sees, and the questions that its decisions ask of it. Pure. */
import type { ActorReport, AssignmentDocument, InstanceDocument } from '@millrace/bus'
import type { Presence } from './liveness.ts'
import type { WantedActor } from './wanted.ts'

/** An instance as its last heartbeat shows it. */
export interface Instance {
  presence: Presence
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

/** A paused, draining or stopped instance gets no actors. */
export function takesActors(key: string, now: Situation): boolean {
  return now.instances.get(key)?.heartbeat.state === 'running'
}

/** Its heartbeat was seen to change, lately. */
export function isLive(key: string, now: Situation): boolean {
  return now.instances.get(key)?.presence === 'live'
}

/** Whether an instance that is not gone may still run an actor, by all that it has said and been told. */
export function stillRuns(key: string, { instances, documents }: Situation): (id: string) => boolean {
  const heartbeat = instances.get(key)?.heartbeat
  const told = documents.get(key)
  if (told !== undefined && heartbeat !== undefined && !hasSeen(heartbeat, told)) return () => true
  const ids = new Set([...(heartbeat?.actors ?? []), ...(told?.document.actors ?? [])].map(({ id }) => id))
  return id => ids.has(id)
}

function hasSeen(heartbeat: InstanceDocument, { revision, document }: Revised<AssignmentDocument>): boolean {
  return heartbeat.term === document.term && heartbeat.revision === revision
}

/** It met a higher epoch than its own, and has given up: only a new epoch helps. */
export function isFenced({ state, problem }: ActorReport): boolean {
  return state === 'failed' && problem?.code === 'fenced'
}
