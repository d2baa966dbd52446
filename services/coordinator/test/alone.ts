/** A route in the buckets and its streams, and no coordinator: for tests of single steps of a leader. */
import { Bucket, makeRouteStreams, positionDocument, positionKey, type RoutesDocument } from '@millrace/bus'
import { routeStreams } from '../src/provision.ts'
import { type KnownRoute, knownRoutes } from '../src/route-lanes.ts'
import { makeBuckets, Store } from '../src/store.ts'
import { connections, Rig, route } from './rig.ts'

/** Route `r` with uid `u`, its lanes' positions at 0, and the store of a leader. Further routes: `more`. */
export class Alone implements AsyncDisposable {
  readonly rig: Rig
  readonly store: Store

  private constructor(rig: Rig) {
    this.rig = rig
    this.store = new Store(rig.bus('coordinator'), { heartbeat: () => {}, changed: () => {} })
  }

  static async open(): Promise<Alone> {
    const alone = new Alone(await Rig.open())
    await makeBuckets(alone.bus, 1)
    return alone
  }

  get bus() {
    return this.rig.bus('coordinator')
  }

  /** Writes the routes, each of one lane; `kept` says more of them. Makes their streams and positions. */
  async routes(names: readonly string[], kept: Partial<RoutesDocument['routes'][string]> = {}): Promise<KnownRoute[]> {
    const routes = names.map(name => [name, { uid: `uid-${name}`, version: 1, spec: route(1), ...kept }])
    const document: RoutesDocument = { installation: 'test', connections, routes: Object.fromEntries(routes) }
    await this.store.routes.write('current', document, 0)
    const known = knownRoutes(document)
    const positions = new Bucket(this.bus, 'mr_positions', positionDocument)
    for (const { name, uid, spec, sink } of known) {
      await makeRouteStreams(this.bus, routeStreams(name, uid, spec, 1))
      const totals = { out: 0, dead: 0, filtered: 0, parked: 0 }
      await positions.create(positionKey({ service: sink, route: name, lane: '0' }), {
        uid,
        sequence: 0,
        epoch: 0,
        totals,
      })
    }
    return known
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.rig[Symbol.asyncDispose]()
  }
}
