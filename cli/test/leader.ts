/** A coordinator's leader, as far as the command line sees it: it writes what is applied, and remembers what was asked. */
import {
  Bucket,
  type Bus,
  bucketNames,
  connectBus,
  leaderDocument,
  makeBucket,
  routesDocument,
  serveControl,
} from '@millrace/bus'
import { z } from 'zod'

const applied = z.object({
  op: z.literal('apply'),
  connections: z.record(z.string(), z.unknown()),
  routes: z.record(z.string(), z.unknown()),
  dryRun: z.boolean().optional(),
})

export class Leader implements AsyncDisposable {
  readonly asked: unknown[] = []
  /** Answers in the place of the usual one, once each. */
  readonly answers: unknown[] = []
  readonly bus: Bus
  readonly #stop: AbortController

  private constructor(bus: Bus, stop: AbortController) {
    this.bus = bus
    this.#stop = stop
  }

  static async start(url: string, password: string, instance = '1'): Promise<Leader> {
    const stop = new AbortController()
    const bus = await connectBus({ url, user: 'coordinator', password, name: 'test', signal: stop.signal })
    for (const name of bucketNames) await makeBucket(bus, name, 1)
    const leader = new Leader(bus, stop)
    serveControl(bus, { service: 'coordinator', instance }, request => leader.#answer(request), stop.signal)
    const seat = new Bucket(bus, 'mr_leader', leaderDocument)
    const held = await seat.read('leader')
    await seat.update('leader', { instance, startId: 's', term: 5, beat: 1 }, held?.revision ?? 0)
    return leader
  }

  async #answer(request: unknown): Promise<unknown> {
    this.asked.push(request)
    const scripted = this.answers.shift()
    if (scripted !== undefined) return scripted
    const { success, data } = applied.safeParse(request)
    return success ? { ok: true, revision: await this.#apply(data) } : { ok: true }
  }

  async #apply({ connections, routes, dryRun }: z.infer<typeof applied>): Promise<number> {
    const bucket = new Bucket(this.bus, 'mr_routes', routesDocument)
    const { value, revision } = (await bucket.read('current')) ?? {
      value: { installation: 'test', connections: {}, routes: {} },
      revision: 0,
    }
    if (dryRun) return revision
    const specs = Object.entries(routes).map(([name, spec]) => [name, { uid: name, version: 1, spec }] as const)
    const after = {
      installation: value.installation,
      connections: { ...value.connections, ...connections },
      routes: { ...value.routes, ...Object.fromEntries(specs) },
    }
    return bucket.update('current', after, revision)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.bus[Symbol.asyncDispose]()
  }
}
