/** What a service is to its host, and what the host gives it. */
import type { ActorAssignment, Budget, Bus, Problem, ServiceName } from '@millrace/bus'
import type { Connection, Route } from '@millrace/routes'
import type { Family, Logger } from '@millrace/telemetry'
import type { z } from 'zod'
import type { Measures } from './counts.ts'
import type { Settings } from './settings.ts'

/** What every context has. */
interface Context<S extends z.ZodRawShape> {
  readonly settings: Settings<S>
  /** The connection to NATS. */
  readonly bus: Bus
  /** With service and instance on every line, and route, lane and role where there are any. */
  readonly log: Logger
  /** Give up now: after it has aborted nothing may be sent, to nobody. */
  readonly signal: AbortSignal
  /** Stop taking in, finish what is in flight, commit, return: within 10 s, then `signal` aborts (R13). */
  readonly draining: AbortSignal
  /** Tells how it goes: `holding` with its reason where it waits for something (R7). */
  readonly state: (state: 'running' | 'holding', problem?: Problem) => void
  /** R11, cheap: the lease is held, and the process has not stood still. Ask before each write and each connect. */
  readonly fresh: () => boolean
}

/** What an actor is given for one run. */
export interface ActorContext<S extends z.ZodRawShape = z.ZodRawShape>
  extends Context<S>,
    Pick<Measures, 'counts' | 'latency'> {
  /** Keeps two Millraces on the same brokers apart. */
  readonly installation: string
  /** The route, in the version that the assignment names. */
  readonly route: Route
  /** The connections that the route names. */
  readonly source: Connection
  readonly sink: Connection
  /** What all actors of this process may hold in memory together (R8). */
  readonly budget: Budget
  /** A secret that a connection refers to, read anew each time; never logged. Rejects with SecretError. */
  readonly secret: (name: string, key: string) => Promise<string>
  /** To be told of every token that is read from elsewhere, or issued, before it is used: it is never logged, nor told. */
  readonly conceal: (token: string) => void
  /**
   * R11, to be asked where `fresh()` is false: reads the assignment again. False: the actor is not ours any more,
   * `signal` has aborted, and what is in flight must be dropped.
   */
  readonly allowed: () => Promise<boolean>
  /** Of a lister: the lanes that the source has now, all of them. The coordinator places what is new among them. */
  readonly lanes: (names: readonly string[]) => void
  /** R14: what its end was found not to do, all of it; it lowers the route's guarantee while this run lasts. */
  readonly lowers: (problems: readonly Problem[]) => void
  /** Of a sink: answers the operation `tap` for this actor, while this run lasts. */
  readonly tap: (answer: ControlAnswer) => void
}

/** A service whose actors are placed by the coordinator. */
export interface PlacedService<S extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: ServiceName
  /** Its own settings, beyond those that all services have. */
  readonly settings: S
  /**
   * One run of an actor. Resolves when it is drained, aborted or retired; rejects when it fails, and is then started
   * again after a wait. A FencedError or AlarmError is final: it stays `failed` until it gets another epoch, or an
   * operator resumes it. Runs of one actor never overlap, but one epoch may see several.
   */
  start(actor: ActorAssignment, context: ActorContext<S>): Promise<void>
}

/** What a standing service is given for one run. */
export interface StandingContext<S extends z.ZodRawShape = z.ZodRawShape> extends Context<S> {
  readonly instance: string
  /** Made by this process. */
  readonly startId: string
  /** Its own metrics, asked for at each scrape. */
  readonly metrics: (families: () => Family[]) => void
  /** Answers an operation on `mr.ctl.<service>.<instance>`, with what is to stand in the reply. */
  readonly control: (operation: string, answer: ControlAnswer) => void
}

/** The answer to a control request: its fields go into the reply; a Problem says why not. */
export type ControlAnswer = (
  request: Readonly<Record<string, unknown>>,
) => Promise<{ problem: Problem } | Record<string, unknown>>

/** A service that always runs, one actor a process, and is not placed: the coordinator. */
export interface StandingService<S extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: ServiceName
  readonly settings: S
  /** Resolves when it is drained or aborted; rejects when it fails, and is then run again after a wait. */
  run(context: StandingContext<S>): Promise<void>
}

/** What `runService` runs. */
export type Service<S extends z.ZodRawShape = z.ZodRawShape> = PlacedService<S> | StandingService<S>
