import type { Life } from '@millrace/actor'
import type { Problem } from '@millrace/bus'

/**
 * The condition of a source actor, of two sides that may each be in trouble. It holds while either has a problem, and
 * runs once it reads and neither has; what does not stand in the way but must be known is told while it runs.
 */
export class Condition {
  readonly #tell: Life['state']
  #storing: Problem | undefined
  #reading: Problem | undefined
  #begun = false
  readonly #notices = new Map<string, Problem>()

  constructor(tell: Life['state']) {
    this.#tell = tell
  }

  /** The lane takes records, or why it does not. */
  storing(problem: Problem | undefined): void {
    this.#storing = problem
    this.#told()
  }

  /** What the outside system has comes, or why it does not. */
  reading(problem: Problem | undefined): void {
    this.#begun = true
    this.#reading = problem
    this.#told()
  }

  /** Something to be known from now on. The first notice is the one that is shown. */
  notice(problem: Problem): void {
    this.#notices.set(problem.code, problem)
    this.#told()
  }

  /** It is so no more. */
  withdraw(code: string): void {
    if (this.#notices.delete(code)) this.#told()
  }

  #told(): void {
    const problem = this.#storing ?? this.#reading
    if (problem !== undefined) this.#tell('holding', problem)
    else if (this.#begun) this.#tell('running', this.#notices.values().next().value)
  }
}
