/** One look at an installation through its own documents. */
import {
  type ActorReport,
  Bucket,
  type Bus,
  decodeToken,
  type InstanceDocument,
  instanceDocument,
  type LeaderDocument,
  leaderDocument,
  type PositionDocument,
  positionDocument,
  type RoutesDocument,
  type ServiceName,
  streamInfo,
} from '@millrace/bus'
import type { BusFacts, Stored } from '@millrace/routes'
import { readRoutes } from './installation.ts'
import type { Terminal } from './terminal.ts'

/** What was there at one time. Keys are as in the buckets. */
export interface Snapshot {
  /** Milliseconds of a monotonic clock. */
  at: number
  leader: LeaderDocument | undefined
  routes: Stored & { revision: number; document: RoutesDocument }
  instances: ReadonlyMap<string, InstanceDocument>
  positions: ReadonlyMap<string, PositionDocument>
}

/** Reads all of it. */
export async function takeSnapshot(bus: Bus): Promise<Snapshot> {
  const [leader, routes, instances, positions] = await Promise.all([
    new Bucket(bus, 'mr_leader', leaderDocument).read('leader'),
    readRoutes(bus),
    new Bucket(bus, 'mr_instances', instanceDocument).list(),
    new Bucket(bus, 'mr_positions', positionDocument).list(),
  ])
  return {
    at: performance.now(),
    leader: leader?.value,
    routes,
    instances: new Map([...instances].map(([key, { value }]) => [key, value])),
    positions: new Map([...positions].map(([key, { value }]) => [key, value])),
  }
}

/** An actor as its instance told of it last. */
export interface FoundActor {
  /** The name that its instance has among those of its service. */
  instance: string
  report: ActorReport
}

/** Finds an actor that has not stopped; where several instances tell of it, its newest owner. */
export async function findActor(bus: Bus, service: ServiceName, id: string): Promise<FoundActor | undefined> {
  const instances = await new Bucket(bus, 'mr_instances', instanceDocument).list()
  const found = [...instances].flatMap(
    ([
      key,
      {
        value: { actors },
      },
    ]) => {
      const [known, instance = ''] = key.split('.')
      const report = actors.find(actor => actor.id === id && actor.state !== 'stopped')
      return known === service && report !== undefined ? [{ instance: decodeToken(instance), report }] : []
    },
  )
  return found.sort((a, b) => b.report.epoch - a.report.epoch)[0]
}

/** What lowers the guarantee of every route: how many servers, and whether they sync (R14). */
export async function readBusFacts(bus: Bus, env: Terminal['env']): Promise<BusFacts> {
  const info = await streamInfo(bus, 'KV_mr_routes')
  return {
    replicas: info?.config.num_replicas ?? 1,
    syncAlways: await readSyncAlways(env['MILLRACE_NATS_MONITOR_URL']),
  }
}

async function readSyncAlways(monitor: string | undefined): Promise<boolean | 'unknown'> {
  if (!monitor) return 'unknown'
  try {
    const answer = await fetch(new URL('/varz', monitor), { signal: AbortSignal.timeout(2_000) })
    const varz: unknown = await answer.json()
    return ['jetstream', 'config', 'sync_always'].reduce((value, key) => Reflect.get(Object(value), key), varz) === true
  } catch {
    return 'unknown'
  }
}
