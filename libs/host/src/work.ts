import type { ActorReport, Bus } from '@millrace/bus'
import type { Family, Logger, Redactor } from '@millrace/telemetry'
import type { z } from 'zod'
import type { Lease } from './lease.ts'
import type { ControlAnswer } from './service.ts'
import type { Settings } from './settings.ts'

/** What an instance is made of. */
export interface InstanceParts<S extends z.ZodRawShape> {
  settings: Settings<S>
  bus: Bus
  /** Made by this process. */
  startId: string
  lease: Lease
  log: Logger
  redactor: Redactor
  /** Reads a secret. */
  readonly secret: (name: string, key: string) => Promise<string>
  /** Keeps a token out of everything that is printed or told. */
  readonly conceal: (token: string) => void
}

/** What an instance does besides being a good instance: placed actors, or one standing actor. */
export interface Work {
  /** The actors, for the heartbeat. */
  reports(): ActorReport[]
  /** Their metrics. */
  families(): Family[]
  /** The highest assignment document that is obeyed; zeros where none is. */
  readonly seen: { term: number; revision: number }
  /** Why it can't be done now, though NATS is connected, or undefined. */
  readonly notReady: string | undefined
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
