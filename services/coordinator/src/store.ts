/** The coordinator's view of the buckets, all in one place. */
import {
  type AssignmentDocument,
  assignmentDocument,
  Bucket,
  bucketNames,
  type Bus,
  type InstanceDocument,
  instanceDocument,
  type LeaderDocument,
  leaderDocument,
  makeBucket,
  type PositionDocument,
  positionDocument,
  type RoutesDocument,
  routesDocument,
} from '@millrace/bus'
import { Mirror } from './mirror.ts'

/** What of the view changed. */
export interface StoreEvents {
  heartbeat(key: string, heartbeat: InstanceDocument | undefined): void
  /** Something that may call for another plan. */
  changed(): void
}

/** Mirrors of everything that is planned from, and the bucket of the leader. */
export class Store {
  readonly instances: Mirror<InstanceDocument>
  readonly assignments: Mirror<AssignmentDocument>
  readonly positions: Mirror<PositionDocument>
  readonly routes: Mirror<RoutesDocument>
  readonly leader: Bucket<LeaderDocument>

  constructor(bus: Bus, events: StoreEvents) {
    const changed = () => events.changed()
    this.instances = new Mirror(new Bucket(bus, 'mr_instances', instanceDocument), {
      changed: (key, heartbeat) => {
        events.heartbeat(key, heartbeat)
        events.changed()
      },
    })
    this.assignments = new Mirror(new Bucket(bus, 'mr_assign', assignmentDocument), { changed })
    // Positions change ten times a second a lane: they are read when they are needed, and not followed.
    this.positions = new Mirror(new Bucket(bus, 'mr_positions', positionDocument), { changed: () => {} })
    this.routes = new Mirror(new Bucket(bus, 'mr_routes', routesDocument), { changed })
    this.leader = new Bucket(bus, 'mr_leader', leaderDocument)
  }

  /** Follows what plans are made from, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all([this.instances.follow(signal), this.assignments.follow(signal), this.routes.follow(signal)])
  }

  /** Reads that again, whole. Rejects as `Bucket.list` does. */
  async reload(signal: AbortSignal): Promise<void> {
    await Promise.all([this.instances.reload(signal), this.assignments.reload(signal), this.routes.reload(signal)])
  }

  /** Writes back what leaders have written and somebody has spoilt. Only for the leader. Rejects as `Mirror.write` does. */
  async restore(): Promise<void> {
    await this.routes.restore()
    await this.assignments.restore()
  }

  /** Documents seen, by whatever look, that were none. */
  get bad(): number {
    const buckets = [this.instances, this.assignments, this.positions, this.routes].map(({ bucket }) => bucket)
    return [...buckets, this.leader].reduce((sum, { bad }) => sum + bad, 0)
  }
}

/** Creates what is missing of the buckets. Rejects with the server's error. */
export async function makeBuckets(bus: Bus, replicas: number): Promise<void> {
  for (const name of bucketNames) await makeBucket(bus, name, replicas)
}
