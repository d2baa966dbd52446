/**
 * An actor is a named child that is kept running: started again when it fails, after a jittered and growing wait.
 *
 *   starting --(the child says so)--> running <--> holding
 *   starting, running, holding --(the child throws)--> failed --(the wait is over)--> starting
 *   any of them --drain()--> draining --(the child returns)--> stopped
 *   any of them --abort(), or the child returns by itself--> stopped
 *
 * 1. One run at a time: a run begins only after the one before it has settled, however long that takes.
 * 2. After `stopped`, or a failure that `decide` calls final, nothing runs any more: `ended` has resolved.
 */
import { type Backoff, backoff } from './backoff.ts'
import { delay } from './wait.ts'

/** An actor's one state. */
export type State = 'starting' | 'running' | 'holding' | 'draining' | 'stopped' | 'failed'

/** Why an actor holds or has failed: a word for metrics and a sentence for people. */
export interface Reason {
  code: string
  message: string
}

/** What a child is given for one run. */
export interface Life {
  /** Give up now: nothing more may be sent when it has aborted. */
  readonly signal: AbortSignal
  /** Stop taking in, finish what is in flight, return. */
  readonly draining: AbortSignal
  /** Tells how it goes. Without effect while draining. */
  readonly state: (state: 'running' | 'holding', reason?: Reason) => void
}

/** What is done about a child that threw. */
export interface Decision {
  restart: boolean
  reason: Reason
}

/** How an actor is kept running. */
export interface Supervision {
  /** Called once for every failure of a run. */
  readonly decide: (error: unknown) => Decision
  /** Called after every change of `state` or `reason`. */
  readonly changed: () => void
  /** A run that was `running` at its end and lasted this many milliseconds has held: the back-off begins anew. */
  heldAfter?: number
  backoff?: Backoff
}

/** A supervised child. */
export class Actor {
  readonly name: string
  /** Resolves, and never rejects, once it is over for good. */
  readonly ended: Promise<void>
  #state: State = 'starting'
  #reason: Reason | undefined
  readonly #abort = new AbortController()
  readonly #draining = new AbortController()
  readonly #supervision: Supervision

  /** Starts the child at once. */
  constructor(name: string, child: (life: Life) => Promise<void>, supervision: Supervision) {
    this.name = name
    this.#supervision = supervision
    this.ended = this.#keepRunning(child)
  }

  get state(): State {
    return this.#state
  }

  get reason(): Reason | undefined {
    return this.#reason
  }

  /** Asks the child to finish, and aborts it if it has not within `ms` milliseconds. Resolves when it is over. */
  async drain(ms: number): Promise<void> {
    if (!this.#draining.signal.aborted && this.#alive()) this.#set('draining', undefined)
    this.#draining.abort()
    const deadline = setTimeout(() => this.abort(), ms)
    await this.ended
    clearTimeout(deadline)
  }

  /** Stops the child without finishing anything. `ended` tells when it has obeyed. */
  abort(): void {
    this.#draining.abort()
    this.#abort.abort()
  }

  async #keepRunning(child: (life: Life) => Promise<void>): Promise<void> {
    const supervision = this.#supervision
    const { heldAfter = 5_000, backoff: wait = backoff() } = supervision
    // Nobody's constructor is called back before it returns.
    await Promise.resolve()
    while (!this.#draining.signal.aborted) {
      this.#set('starting', this.#reason)
      const begun = performance.now()
      try {
        await child({ signal: this.#abort.signal, draining: this.#draining.signal, state: this.#told })
        break
      } catch (error) {
        if (this.#abort.signal.aborted) break
        if (this.#state === 'running' && performance.now() - begun >= heldAfter) wait.reset()
        const { restart, reason } = supervision.decide(error)
        if (!restart) return this.#set('failed', reason)
        if (!this.#draining.signal.aborted) this.#set('failed', reason)
      }
      await delay(wait.next(), this.#draining.signal)
    }
    this.#set('stopped', undefined)
  }

  readonly #told: Life['state'] = (state, reason) => {
    if (this.#alive() && !this.#draining.signal.aborted) this.#set(state, reason)
  }

  #alive(): boolean {
    return this.#state !== 'stopped' && this.#state !== 'failed'
  }

  #set(state: State, reason: Reason | undefined): void {
    if (state === this.#state && reason?.code === this.#reason?.code && reason?.message === this.#reason?.message)
      return
    this.#state = state
    this.#reason = reason
    this.#supervision.changed()
  }
}

/** Keeps the child running until it returns, is drained or aborted, or fails for good. */
export function supervise(name: string, child: (life: Life) => Promise<void>, supervision: Supervision): Actor {
  return new Actor(name, child, supervision)
}
