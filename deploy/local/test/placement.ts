/**
 * Who runs what, followed in the documents while it changes. An actor and an epoch always mean the same process, and an
 * actor's epoch never goes back, in whatever was ever written: what does not hold is in `wrong` (R3, R5, R9).
 */
import {
  type AssignmentDocument,
  assignmentDocument,
  Bucket,
  type InstanceDocument,
  instanceDocument,
} from '@millrace/bus'
import { eventually } from '@millrace/testkit'
import type { Whole } from './whole.ts'

/** Whom an actor belongs to. */
export interface Owner {
  /** The instance's key, e.g. `mqtt-ingress.1`. */
  instance: string
  epoch: number
}

/** Actor id to its one owner. */
export type Placed = ReadonlyMap<string, Owner>

/** An actor that changed hands. */
export interface Move {
  actor: string
  from: string
  to: string
  /** Before and after. */
  epochs: [number, number]
  /** From the fault until it was seen to run again. */
  milliseconds: number
  /** From its last owner's word that it does not run there any more; undefined where that owner could say nothing. */
  stoodStill: number | undefined
}

export class Placement {
  readonly wrong: string[] = []
  readonly #actors: readonly string[]
  readonly #assigned = new Map<string, AssignmentDocument>()
  readonly #instances = new Map<string, InstanceDocument>()
  /** By actor and epoch: the process that it means. */
  readonly #meaning = new Map<string, string>()
  readonly #highest = new Map<string, number>()
  /** By actor and epoch: when it was first seen to run. */
  readonly #runningSince = new Map<string, number>()
  /** By actor and epoch: when its owner first said that it does not run any more. */
  readonly #ranUntil = new Map<string, number>()

  /** Follows the placement of these actors, which are all that there are, until the signal aborts. */
  constructor({ bus }: Whole, actors: readonly string[], signal: AbortSignal) {
    this.#actors = actors
    const assignments = new Bucket(bus, 'mr_assign', assignmentDocument)
    const instances = new Bucket(bus, 'mr_instances', instanceDocument)
    void assignments.watch('>', signal, { changed: ({ key, value }) => value && this.#assignment(key, value) })
    void instances.watch('>', signal, { changed: ({ key, value }) => value && this.#heartbeat(key, value) })
  }

  /** Waits until these instances, and they alone, share all actors evenly and run them; at least in this term. */
  async settled(live: readonly string[], { term = 0 } = {}): Promise<Placed> {
    return eventually(() => this.#look(live, term), { what: 'all is placed and runs', timeout: 30_000 })
  }

  /** What moved from one settled placement to the next, after a fault at this time. */
  moves(before: Placed, after: Placed, since: number): Move[] {
    return [...after].flatMap(([actor, { instance, epoch }]) => {
      const was = before.get(actor)
      if (was === undefined || (was.instance === instance && was.epoch === epoch)) return []
      const ran = this.#runningSince.get(`${actor}@${epoch}`) ?? NaN
      const until = this.#ranUntil.get(`${actor}@${was.epoch}`)
      const times = { milliseconds: ran - since, stoodStill: until === undefined ? undefined : ran - until }
      return [{ actor, from: was.instance, to: instance, epochs: [was.epoch, epoch], ...times }]
    })
  }

  #assignment(key: string, document: AssignmentDocument): void {
    this.#assigned.set(key, document)
    for (const { id, epoch } of document.actors) {
      this.#means(id, epoch, `${key} ${document.startId}`)
      const highest = this.#highest.get(id) ?? 0
      if (epoch < highest) this.wrong.push(`${id} was given to ${key} with epoch ${epoch} after ${highest}`)
      this.#highest.set(id, Math.max(epoch, highest))
    }
  }

  #heartbeat(key: string, document: InstanceDocument): void {
    for (const actor of runningIn(this.#instances.get(key)).difference(runningIn(document))) {
      this.#ranUntil.set(actor, performance.now())
    }
    this.#instances.set(key, document)
    for (const { id, epoch, state } of document.actors) {
      // What a process runs by itself has no owner and no epoch.
      if (!this.#actors.includes(id)) continue
      this.#means(id, epoch, `${key} ${document.startId}`)
      const actor = `${id}@${epoch}`
      if (state === 'running' && !this.#runningSince.has(actor)) this.#runningSince.set(actor, performance.now())
    }
  }

  #means(id: string, epoch: number, owner: string): void {
    const actor = `${id}@${epoch}`
    const known = this.#meaning.get(actor) ?? owner
    if (known !== owner) this.wrong.push(`${actor} is ${owner} and ${known}`)
    this.#meaning.set(actor, known)
  }

  /** Throws what is not settled yet. */
  #look(live: readonly string[], term: number): Placed {
    const placed = new Map<string, Owner>()
    for (const [instance, document] of this.#assigned) {
      if (document.term < term) throw new Error(`${instance} has a document of term ${document.term}`)
      for (const { id, epoch } of document.actors) {
        const other = placed.get(id)
        if (other !== undefined) throw new Error(`${id} belongs to ${other.instance} and ${instance}`)
        if (!live.includes(instance)) throw new Error(`${id} belongs to ${instance}`)
        if (!this.#runs(instance, { ...document, id, epoch })) throw new Error(`${instance} does not run ${id} yet`)
        placed.set(id, { instance, epoch })
      }
    }
    const missing = this.#actors.find(id => !placed.has(id))
    if (missing !== undefined) throw new Error(`${missing} belongs to nobody`)
    for (const service of ['mqtt-ingress.', 'kafka-egress.']) {
      const shares = live.filter(key => key.startsWith(service)).map(key => ownedBy(placed, key).length)
      if (Math.max(...shares) - Math.min(...shares) > 1) throw new Error(`${service} shares are ${shares.join(', ')}`)
    }
    return placed
  }

  #runs(instance: string, wanted: { id: string; epoch: number; startId: string }): boolean {
    const heartbeat = this.#instances.get(instance)
    const actor = heartbeat?.actors.find(({ id, epoch }) => id === wanted.id && epoch === wanted.epoch)
    return heartbeat?.startId === wanted.startId && actor?.state === 'running'
  }
}

/** By actor and epoch. */
const runningIn = (document: InstanceDocument | undefined) =>
  new Set(document?.actors.flatMap(({ id, epoch, state }) => (state === 'running' ? [`${id}@${epoch}`] : [])))

/** The actors that an instance has. */
export function ownedBy(placed: Placed, instance: string): string[] {
  return [...placed].filter(([, owner]) => owner.instance === instance).map(([actor]) => actor)
}
