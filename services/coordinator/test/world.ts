/**
 * A small world to try plan() in: instances that obey the documents as libs/host does, and leaders whose view of it may
 * be as old as it likes. Every write is checked against the invariants of plan.ts, and so is what really runs.
 */
import type { ActorAssignment, AssignmentDocument, InstanceDocument } from '@millrace/bus'
import { Attention } from '../src/attention.ts'
import { lanesFound } from '../src/listed.ts'
import { Epochs } from '../src/epoch.ts'
import { Liveness } from '../src/liveness.ts'
import { instancesAt } from '../src/look.ts'
import { plan, SupersededError } from '../src/plan.ts'
import type { Revised, Situation } from '../src/situation.ts'
import { Process } from './process.ts'
import { type RouteLanes, wantedActors } from '../src/wanted.ts'

/** A coordinator that believes that it leads. What it sees of the world is what it last looked at. */
export class Leader {
  readonly epochs: Epochs
  readonly liveness = new Liveness()
  readonly attention = new Attention()
  readonly beats = new Map<string, InstanceDocument>()
  readonly documents = new Map<string, Revised<AssignmentDocument>>()
  believes = true

  constructor(term: number) {
    this.epochs = new Epochs(term)
  }
}

/** The buckets, the processes and the leaders. */
export class World {
  now = 0
  readonly routes = new Map<string, RouteLanes>()
  /** The partitions that a lister finds now. */
  readonly partitions = new Map<string, readonly string[]>()
  readonly processes = new Map<string, Process>()
  readonly beats = new Map<string, InstanceDocument>()
  readonly documents = new Map<string, Revised<AssignmentDocument>>()
  /** All documents there were, oldest first: a watch may be that late. */
  readonly #history = new Map<string, Revised<AssignmentDocument>[]>()
  readonly leaders: Leader[] = []
  /** Every assignment that was ever written: who was told what under which epoch. */
  readonly #said = new Map<string, string>()
  readonly #highest = new Map<string, number>()
  /** What was told to deaf instances that did not show it, and so may have gone to others: only the epochs stop it. */
  readonly #givenUp = new Set<string>()
  #revision = 0
  #starts = 0

  start(key: string): void {
    this.#starts += 1
    const finds = (route: string) => this.partitions.get(route)
    this.processes.set(key, new Process(key, `start-${this.#starts}`, this.now, finds))
    this.beat(key)
  }

  beat(key: string): void {
    const process = this.processes.get(key)
    const beat = process?.heartbeat(this.now)
    if (beat !== undefined) this.beats.set(key, beat)
  }

  read(key: string): void {
    this.processes.get(key)?.read(this.documents.get(key))
  }

  /**
   * Its watch tells an instance the next document that it has not seen, which need not be the newest. One that has
   * just started, or has let its lease lapse, asks for the newest.
   */
  readLate(key: string): void {
    const process = this.processes.get(key)
    if (process?.told === false) return this.read(key)
    process?.read(this.#history.get(key)?.find(({ revision }) => revision > process.revision))
  }

  pass(milliseconds: number): void {
    this.now += milliseconds
    for (const process of this.processes.values()) process.fence(this.now)
  }

  elect(): void {
    const terms = [...this.documents.values()].map(({ document }) => document.term)
    const leader = new Leader(Math.max(0, ...terms, ...this.leaders.map(({ epochs }) => epochs.term)) + 1)
    // A standby watches as the leader does; what it has seen may be as old.
    const last = this.leaders.at(-1)
    for (const [key, beat] of last?.beats ?? this.beats) {
      leader.beats.set(key, beat)
      leader.liveness.heard(key, beat, this.now)
    }
    for (const [key, entry] of last?.documents ?? this.documents) leader.documents.set(key, entry)
    leader.liveness.bePatient(this.now)
    this.leaders.push(leader)
  }

  lookAround(leader: Leader): void {
    for (const key of this.beats.keys()) this.hear(leader, key)
    for (const key of this.documents.keys()) this.look(leader, key)
  }

  hear(leader: Leader, key: string): void {
    const beat = this.beats.get(key)
    if (beat === undefined) return
    leader.beats.set(key, beat)
    leader.liveness.heard(key, beat, this.now)
  }

  look(leader: Leader, key: string): void {
    const entry = this.documents.get(key)
    if (entry !== undefined) leader.documents.set(key, entry)
  }

  /** One plan, of which the first `most` documents are written. Returns how many were written. */
  act(leader: Leader, most = Number.POSITIVE_INFINITY): number {
    if (!leader.believes) return 0
    for (const key of leader.liveness.silent(this.now)) this.hear(leader, key)
    const { liveness, attention, documents, beats: heartbeats } = leader
    const instances = instancesAt(this.now, { heartbeats, documents, liveness, attention })
    for (const [key, { presence, heartbeat }] of instances) {
      if (presence === 'deaf') this.#giveUp(key, heartbeat)
    }
    this.#learn({ wanted: [], instances, documents: leader.documents })
    const wanted = [...this.routes.values()].flatMap(wantedActors)
    let written = 0
    try {
      for (const { key, revision, document } of plan(
        { wanted, instances, documents: leader.documents },
        leader.epochs,
      )) {
        if (written >= most) break
        if ((this.documents.get(key)?.revision ?? 0) !== revision) {
          this.look(leader, key)
          break
        }
        this.#write(key, document, leader)
        written += 1
      }
    } catch (error) {
      if (!(error instanceof SupersededError)) throw error
      leader.believes = false
    }
    return written
  }

  /** The routes are written by compare-and-set, so whoever believes that it leads knows them as they are. */
  #learn(seen: Situation): void {
    for (const route of this.routes.values()) {
      const found = route.lister ? lanesFound(route, seen) : undefined
      if (found !== undefined) this.routes.set(route.name, { ...route, lanes: [...route.lanes, ...found] })
    }
  }

  #write(key: string, document: AssignmentDocument, leader: Leader): void {
    const before = this.documents.get(key)?.document
    if ((before?.term ?? 0) > document.term) throw new Error(`the term of ${key} went back`)
    for (const actor of document.actors) this.#checkEpoch(key, document, actor, before)
    this.#revision += 1
    this.documents.set(key, { revision: this.#revision, document })
    this.#history.set(key, [...(this.#history.get(key) ?? []), { revision: this.#revision, document }])
    this.look(leader, key)
  }

  #checkEpoch(key: string, document: AssignmentDocument, actor: ActorAssignment, before?: AssignmentDocument): void {
    const name = `${actor.id}@${actor.epoch}`
    const says = JSON.stringify([key, document.startId, actor.uid, actor.version, actor.retire ?? false])
    const known = this.#said.get(name)
    if (known !== undefined && known !== says) throw new Error(`${name} was ${known} and is ${says}`)
    if (known === undefined) {
      const highest = this.#highest.get(actor.id) ?? 0
      const newest = document.term >= Math.max(...this.leaders.map(({ epochs }) => epochs.term))
      if (newest && actor.epoch <= highest) throw new Error(`the epoch of ${actor.id} went back`)
      this.#highest.set(actor.id, Math.max(highest, actor.epoch))
    } else if (!before?.actors.some(({ id, epoch }) => id === actor.id && epoch === actor.epoch)) {
      throw new Error(`${name} was given twice`)
    }
    this.#said.set(name, says)
  }

  #giveUp(key: string, { actors }: InstanceDocument): void {
    for (const { document } of this.#history.get(key) ?? []) {
      for (const { id, epoch } of document.actors) {
        if (!actors.some(shown => shown.id === id)) this.#givenUp.add(`${id}@${epoch}`)
      }
    }
  }

  /** No actor runs in two processes that can act, unless all but the newest owner were deaf and did not show it. */
  checkOwners(): void {
    const owners = new Map<string, { key: string; epoch: number }>()
    for (const process of this.processes.values()) {
      if (!process.acts) continue
      for (const { id, epoch } of process.runs()) {
        const other = owners.get(id)
        const mine = { key: process.key, epoch }
        const [older, newer] = other !== undefined && other.epoch > epoch ? [mine, other] : [other, mine]
        owners.set(id, newer)
        if (older === undefined || older.key === newer.key || this.#givenUp.has(`${id}@${older.epoch}`)) continue
        throw new Error(`${id} runs in ${older.key} (${older.epoch}) and ${newer.key} (${newer.epoch})`)
      }
    }
  }

  /**
   * Two minutes in which all beat and the leader acts, but only some read what they are told: the others turn out to be
   * deaf, perhaps one after the other, unless there is nothing new for them to see.
   */
  listen(readers: readonly string[]): void {
    if (this.leaders.length === 0) this.elect()
    const leader = this.leaders.at(-1)
    if (leader === undefined) return
    for (let second = 0; second < 120; second += 1) {
      for (const key of this.processes.keys()) this.beat(key)
      this.lookAround(leader)
      this.act(leader)
      for (const key of readers) {
        this.read(key)
        this.processes.get(key)?.finishDrains()
        this.checkOwners()
      }
      this.pass(1_000)
    }
  }

  /** Lets time pass, with one leader and nothing new, until everything has had its say. Some drain late. */
  settle(): void {
    if (this.leaders.length === 0) this.elect()
    const leader = this.leaders.at(-1)
    for (const other of this.leaders) other.believes = other === leader
    if (leader === undefined) return
    for (let second = 0; second < 12; second += 1) {
      for (const key of this.processes.keys()) this.beat(key)
      this.lookAround(leader)
      for (let round = 0; round < 20; round += 1) {
        const written = this.act(leader)
        for (const [index, key] of [...this.processes.keys()].entries()) {
          this.read(key)
          this.checkOwners()
          if (round % 4 >= index % 4) this.processes.get(key)?.finishDrains()
          this.beat(key)
        }
        this.lookAround(leader)
        this.checkOwners()
        if (written === 0 && [...this.processes.values()].every(({ draining }) => draining.size === 0)) break
      }
      this.pass(1_000)
      this.checkOwners()
    }
  }
}
