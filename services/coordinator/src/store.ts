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
    // Positions change ten times a second a lane; who waits for one to reach its lane's end asks each second.
    this.positions = new Mirror(new Bucket(bus, 'mr_positions', positionDocument), { changed: () => {} })
    this.routes = new Mirror(new Bucket(bus, 'mr_routes', routesDocument), { changed })
    this.leader = new Bucket(bus, 'mr_leader', leaderDocument)
  }

  get #mirrors() {
    return [this.instances, this.assignments, this.positions, this.routes]
  }

  /** Follows all buckets until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#mirrors.map(mirror => mirror.follow(signal)))
  }

  /** Reads everything again. Rejects as `Bucket.list` does. */
  async reload(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#mirrors.map(mirror => mirror.reload(signal)))
  }
}

/** Creates what is missing of the buckets. Rejects with the server's error. */
export async function makeBuckets(bus: Bus, replicas: number): Promise<void> {
  for (const name of bucketNames) await makeBucket(bus, name, replicas)
}
