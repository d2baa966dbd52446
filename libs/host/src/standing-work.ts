/** The work of an instance of a service that is not placed: its one actor, which runs whenever the process does. */
import { type Actor, type Life, supervise } from '@millrace/actor'
import type { Family } from '@millrace/telemetry'
import type { z } from 'zod'
import { cleaned, problemOf } from './failure.ts'
import { drainWithin } from './placement.ts'
import type { ControlAnswer, StandingService } from './service.ts'
import type { InstanceParts, Work } from './work.ts'

/** Starts it. It outlives its lease: what it may write is for it to know (a leader has a lease of its own). */
export class StandingWork<S extends z.ZodRawShape> implements Work {
  readonly seen = { term: 0, revision: 0 }
  readonly state = 'running'
  readonly operations = new Map<string, ControlAnswer>()
  readonly #service: StandingService<S>
  readonly #parts: InstanceParts<S>
  readonly #actor: Actor
  #families: () => Family[] = () => []

  constructor(service: StandingService<S>, parts: InstanceParts<S>, changed: () => void) {
    this.#service = service
    this.#parts = parts
    this.#actor = supervise(service.name, life => this.#run(life), { decide: error => this.#decide(error), changed })
  }

  reports() {
    const { name, state, reason } = this.#actor
    return [{ id: name, epoch: 0, version: 0, state, ...(reason && { problem: reason }) }]
  }

  get notReady() {
    const { name, state, reason } = this.#actor
    if (state === 'running' || state === 'holding') return undefined
    return `${name} is ${state}${reason === undefined ? '' : `: ${reason.message}`}`
  }

  families = () => this.#families()
  close = () => this.#actor.drain(drainWithin)
  lapsed() {}
  check() {}

  async run(): Promise<void> {
    await this.#actor.ended
  }

  async #run(life: Life): Promise<void> {
    const { settings, bus, log, startId, lease, redactor } = this.#parts
    await this.#service.run({
      settings,
      bus,
      log,
      startId,
      instance: settings.instance,
      signal: life.signal,
      draining: life.draining,
      state: (state, problem) => life.state(state, problem && cleaned(problem, redactor)),
      fresh: () => !life.signal.aborted && lease.fresh(performance.now()),
      metrics: families => {
        this.#families = families
      },
      control: (operation, answer) => this.operations.set(operation, answer),
    })
  }

  #decide(error: unknown) {
    const { problem: reason } = problemOf(error, this.#parts.redactor)
    this.#parts.log.error({ err: error, code: reason.code }, 'failed; starting again')
    return { restart: true, reason }
  }
}
