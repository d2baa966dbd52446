import type { ActorReport } from '@millrace/bus'
import type { Family } from '@millrace/telemetry'
import type { ControlAnswer } from './service.ts'

/** What an instance does besides being a good instance: placed actors, or one standing actor. */
export interface Work {
  /** The actors, for the heartbeat. */
  reports(): ActorReport[]
  /** Their metrics. */
  families(): Family[]
  /** The highest assignment document read. */
  readonly seen: { term: number; revision: number }
  /** Whether everything is known that is needed to begin. */
  readonly ready: boolean
  /** As the heartbeat says it, while the process is not being stopped. */
  readonly state: 'running' | 'paused' | 'draining'
  /** What it answers on its control subject, by operation; may grow. */
  readonly operations: Map<string, ControlAnswer>
  /** The lease is over: abort (R11). */
  lapsed(): void
  /** The lease is held again, or the process stood still: what is known may be old. */
  check(): void
  /** Runs in the background until the signal aborts; resolves earlier only where there is nothing more to do. */
  run(signal: AbortSignal): Promise<void>
  /** Drains everything; resolves when all is over (R13). */
  close(): Promise<void>
}
