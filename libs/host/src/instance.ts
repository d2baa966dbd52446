/**
 * A good instance: it is seen by its heartbeat, holds a lease (R11), answers control requests, and does its work
 * until it is told to stop; then it drains (R13) and says so with a last heartbeat.
 */
import { aborted, delay } from '@millrace/actor'
import {
  Bucket,
  type InstanceDocument,
  instanceDocument,
  instanceKey,
  serveControl,
  type ServiceName,
} from '@millrace/bus'
import type { Family } from '@millrace/telemetry'
import type { z } from 'zod'
import manifest from '../package.json' with { type: 'json' }
import { controlAnswers } from './control.ts'
import { complaints } from './failure.ts'
import { Heartbeat, ReplacedError } from './heartbeat.ts'
import { PlacedWork } from './placed-work.ts'
import { drainWithin } from './placement.ts'
import type { Service } from './service.ts'
import { StandingWork } from './standing-work.ts'
import type { InstanceParts, Work } from './work.ts'

/** How often the clock is looked at, in milliseconds: it bounds how late an actor is aborted. */
const guardEvery = 100
/** How long the process waits for what does not end, in milliseconds: any kill is safe. */
const patience = 1_000

/** One instance of a service. */
export class Instance<S extends z.ZodRawShape> {
  readonly #service: ServiceName
  readonly #parts: InstanceParts<S>
  readonly #heartbeat: Heartbeat
  readonly #work: Work
  #stopping: 'draining' | 'stopped' | undefined
  /** Whether the lease was held when it was last looked at. */
  #held = false

  constructor(service: Service<S>, parts: InstanceParts<S>) {
    const { bus, settings, startId, log } = parts
    this.#service = service.name
    this.#parts = parts
    this.#heartbeat = new Heartbeat({
      bucket: new Bucket(bus, 'mr_instances', instanceDocument),
      key: instanceKey(service.name, settings.instance),
      startId,
      current: () => this.#current(),
      stored: sentAt => this.#stored(sentAt),
      failed: complaints(log, 'a heartbeat was not stored'),
    })
    const changed = () => this.#heartbeat.soon()
    this.#work = 'run' in service ? new StandingWork(service, parts, changed) : new PlacedWork(service, parts, changed)
    this.#work.operations.set('status', async () => ({ instance: this.#document() }))
  }

  /** Why it can't do its work now, or undefined. */
  get notReady(): string | undefined {
    if (!this.#parts.bus.connected) return 'no connection to NATS'
    return this.#work.notReady
  }

  /** The metrics of its actors. */
  families(): Family[] {
    return this.#work.families()
  }

  /** Does its work until `stop` aborts, then drains. Rejects with ReplacedError when another process took its name. */
  async run(stop: AbortSignal): Promise<void> {
    const { bus, settings, log } = this.#parts
    const over = new AbortController()
    const answer = controlAnswers(this.#work.operations, (op, error) => log.error({ err: error, op }, 'control failed'))
    serveControl(bus, { service: this.#service, instance: settings.instance }, answer, over.signal)
    const guard = setInterval(() => this.#guard(), guardEvery)
    const off = bus.on(event => event.is === 'connected' && this.#heartbeat.soon())
    const beating = this.#heartbeat.run(over.signal)
    const working = this.#work.run(over.signal)
    try {
      await Promise.race([aborted(stop), beating, working])
      await Promise.race([this.#drain(), beating])
      over.abort()
      await within(patience, beating)
      await this.#sayGoodbye()
    } catch (error) {
      if (error instanceof ReplacedError) this.#work.lapsed()
      throw error
    } finally {
      over.abort()
      clearInterval(guard)
      off()
    }
  }

  async #drain(): Promise<void> {
    this.#stopping = 'draining'
    this.#heartbeat.soon()
    await within(drainWithin + patience, this.#work.close())
  }

  async #sayGoodbye(): Promise<void> {
    this.#stopping = 'stopped'
    await within(patience, this.#heartbeat.once())
  }

  /** R11: the lease is looked at by a clock of our own, whatever NATS does. */
  #guard(): void {
    const { lease, log } = this.#parts
    const stoodStill = lease.tick(performance.now(), Date.now())
    if (this.#held && !lease.held(performance.now())) {
      this.#held = false
      log.warn('the lease is over: no heartbeat was stored for 4 s; actors are aborted')
      this.#work.lapsed()
    }
    if (stoodStill) {
      log.warn('the process stood still; the assignment is read again')
      this.#work.check()
    }
  }

  #stored(sentAt: number): void {
    const { lease, log } = this.#parts
    lease.stored(sentAt)
    if (this.#held || !lease.held(performance.now())) return
    this.#held = true
    log.info('the lease is held')
    this.#work.check()
  }

  #current(): Omit<InstanceDocument, 'startId' | 'beat'> {
    const { seen, state } = this.#work
    return { version: manifest.version, ...seen, state: this.#stopping ?? state, actors: this.#work.reports() }
  }

  #document(): InstanceDocument {
    return { ...this.#current(), startId: this.#parts.startId, beat: this.#heartbeat.beat }
  }
}

/** Waits, but not for ever. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  const enough = new AbortController()
  await Promise.race([promise, delay(ms, enough.signal)])
  enough.abort()
}
