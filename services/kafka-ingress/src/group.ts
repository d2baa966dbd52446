/** The group whose offsets follow a lane, so that tools see its lag. Only a lane that is new may begin there. */
import { KafkaError, type PartitionLog } from '@millrace/kafka'
import type { Problem } from '@millrace/lane'
import type { Position } from './position.ts'

/** Told where a new lane begins behind one that is gone: nobody can say whether all that had stored was delivered. */
export const followedOurs = (group: string): string =>
  `Group ${group} has got to where an earlier route of Millrace had stored, and reading begins there. If that was lost ` +
  'before it was delivered, delete the route and apply it with a start from before.'

/** Milliseconds between commits. */
const every = 5_000

/** Commits what is stored, from time to time. */
export class Group {
  readonly name: string
  readonly #tell: (problem: Problem | undefined) => void
  /** What was passed on and is not stored yet, in order: up to which ordinal of the lane, and where reading goes on. */
  readonly #passed: { ordinal: number; next: Position }[] = []
  #stored: Position | undefined
  #committed: Position | undefined
  #triedAt = performance.now()
  #underWay = false

  /** `tell` is given why the group is behind, and undefined when it is not any more. */
  constructor(name: string, tell: (problem: Problem | undefined) => void) {
    this.name = name
    this.#tell = tell
  }

  /** Up to that ordinal, all that was read is with the lane. */
  passed(ordinal: number, next: Position): void {
    this.#passed.push({ ordinal, next })
  }

  /** The lane has stored up to that ordinal. */
  stored(ordinal: number): void {
    for (; this.#passed[0] !== undefined && this.#passed[0].ordinal <= ordinal; this.#passed.shift()) {
      this.#stored = this.#passed[0].next
    }
  }

  /** Whether there is something to commit, now or once it is stored. */
  get isBehind(): boolean {
    return this.#passed.length > 0 || this.#stored !== this.#committed
  }

  /** Commits where it is time to; resolves at once. */
  follow(log: PartitionLog): void {
    if (performance.now() - this.#triedAt >= every) void this.commit(log)
  }

  /** Commits what is stored and not committed. Never rejects: a group that stays behind disturbs no data. */
  async commit(log: PartitionLog): Promise<void> {
    const next = this.#stored
    if (this.#underWay || next === undefined || next === this.#committed) return
    this.#underWay = true
    this.#triedAt = performance.now()
    try {
      await log.commit(this.name, next)
      this.#committed = next
      this.#tell(undefined)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      if (error.code !== 'closed') this.#tell({ code: 'group_behind', message: error.message })
    } finally {
      this.#underWay = false
    }
  }
}
