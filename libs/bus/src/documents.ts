/**
 * The documents that Millrace keeps in its buckets (ARCHITECTURE.md 3 and 7). All are JSON. Whoever reads one checks it with
 * the schema here; one that does not fit is ignored, counted and told (never obeyed), and the last good one stays.
 */
import { z } from 'zod'

export const serviceNames = [
  'mqtt-ingress',
  'mqtt-egress',
  'kafka-ingress',
  'kafka-egress',
  'iothub-source',
  'iothub-sink',
  'coordinator',
] as const
export type ServiceName = (typeof serviceNames)[number]

/** An actor's one state (ARCHITECTURE.md 6). */
export const actorStates = ['starting', 'running', 'holding', 'draining', 'stopped', 'failed'] as const
export type ActorState = (typeof actorStates)[number]

const count = z.number().int().nonnegative()
const problem = z.object({ code: z.string(), message: z.string() })

/** What an instance is told to run: one actor. `id` is `<role>.<route>.<lane>`. */
export const actorAssignment = z.object({
  id: z.string(),
  role: z.enum(['source', 'sink', 'lister']),
  route: z.string(),
  /** The route's uid: what positions must name (R5). */
  uid: z.string(),
  lane: z.string(),
  /** The fencing token: term x 2^20 + counter. */
  epoch: count,
  /** Which version of the route this is; another one means: drain, then start again with the new document. */
  version: count,
  /** The slot is being retired: unsubscribe, take what the session holds, end it, then say `stopped`. */
  retire: z.boolean().optional(),
  /** Of one that retires: what its session holds is not wanted. End it at once, or where that fails let it expire. */
  discard: z.boolean().optional(),
})
export type ActorAssignment = z.infer<typeof actorAssignment>

/** `mr_assign`, key `<service>.<instance>`. Obeyed only by the process whose start id it names. */
export const assignmentDocument = z.object({
  term: count,
  startId: z.string(),
  actors: z.array(actorAssignment),
})
export type AssignmentDocument = z.infer<typeof assignmentDocument>

/** How an actor does, in its instance's heartbeat. */
export const actorReport = z.object({
  id: z.string(),
  epoch: count,
  version: count,
  state: z.enum(actorStates),
  /** Why it holds or failed: `{code, message}` of a Problem. */
  problem: problem.optional(),
  /** R14: what its end was found not to do, which lowers the route's guarantee, whatever state it is in. */
  lowers: z.array(problem).optional(),
  /** Of a lister that has found out: the lanes that the source has now. One that does not say changes nothing. */
  lanes: z.array(z.string().regex(/^[!-~]{1,300}$/)).optional(),
  /** Records since this process started: in (sources), out, dead, duplicates, pending, per second where known. */
  counts: z.record(z.string(), z.number()).optional(),
})
export type ActorReport = z.infer<typeof actorReport>

/** `mr_instances`, key `<service>.<instance>`: a heartbeat a second, and at once when an actor's state changes. */
export const instanceDocument = z.object({
  startId: z.string(),
  /** Grows with every heartbeat of this process, so that a watcher sees each as a change. */
  beat: count,
  version: z.string(),
  /** The highest (term, revision) of its assignment that it has seen. */
  term: count,
  revision: count,
  state: z.enum(['running', 'paused', 'draining', 'stopped']),
  actors: z.array(actorReport),
})
export type InstanceDocument = z.infer<typeof instanceDocument>

/** `mr_positions`, key `<sink service>.<route>.<lane>` (R5, R12). */
export const positionDocument = z.object({
  uid: z.string(),
  /** The stream sequence of the last message that was delivered whole; 0 before the first. */
  sequence: count,
  /** That message's `mr-writer`: tells it from another one that was stored with its sequence after a restore. */
  writer: z.string().optional(),
  epoch: count,
  totals: z.object({ out: count, dead: count, filtered: count, parked: count }),
  /** Where a sink that keeps the position itself keeps it (Kafka: the topic); this is a copy then, which may be behind. */
  keptIn: z.string().optional(),
})
export type PositionDocument = z.infer<typeof positionDocument>

/** `mr_leader`, key `leader`. */
export const leaderDocument = z.object({
  instance: z.string(),
  startId: z.string(),
  term: count,
  beat: count,
  /** Its holder stopped in order: a standby takes it at once. */
  released: z.boolean().optional(),
})
export type LeaderDocument = z.infer<typeof leaderDocument>

/**
 * `mr_routes`, key `current`: one apply is one revision. Connections and routes are kept as the user's documents were
 * read by `libs/routes`; here they are opaque.
 */
export const routesDocument = z.object({
  installation: z.string(),
  connections: z.record(z.string(), z.unknown()),
  routes: z.record(
    z.string(),
    z.object({
      uid: z.string(),
      /** Grows when the route, or a connection that it names, changes. */
      version: count,
      /** Deleted by the user: its source retires, what is stored is delivered, then it goes. */
      deleting: z.boolean().optional(),
      /** Of one that is being deleted: nothing is taken or delivered any more, only its sessions end. */
      discard: z.boolean().optional(),
      /** The lanes that a lister has found so far. A lane stays, whatever its lister says or does not say later. */
      lanes: z.array(z.string()).optional(),
      /** The topics and patterns that it has looked for by then. What comes to light by another one was there before. */
      looked: z.array(z.string()).optional(),
      /** Lanes that were given up and are not drained yet: their sources retire, their sinks deliver what is stored. */
      retiring: z.array(z.string()).optional(),
      spec: z.unknown(),
    }),
  ),
  /** Connections that were deleted while a route that is being deleted still needs them. */
  unwanted: z.array(z.string()).optional(),
})
export type RoutesDocument = z.infer<typeof routesDocument>
