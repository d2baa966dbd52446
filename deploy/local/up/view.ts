/** Looks at the installation through its own documents, and makes of it what the screen shows. */
import { Bucket, type Bus, instanceDocument, type InstanceDocument } from '@millrace/bus'
import type { Kept } from './keep.ts'
import type { ProcessRow, RouteRow } from './screen.ts'

type Instances = Map<string, InstanceDocument>

/** What was counted of a route by all its actors, at one time. */
interface Totals {
  in: number
  out: number
  dead: number
  pending: number
  latency: { p50: number; p99: number } | undefined
  problem: string | undefined
}

/** Reads the heartbeats of all instances. */
export async function readInstances(bus: Bus): Promise<Instances> {
  const entries = await new Bucket(bus, 'mr_instances', instanceDocument).list()
  return new Map([...entries].map(([key, { value }]) => [key, value]))
}

/** The rows of the processes that we keep running; servers have no heartbeat, so theirs says only that they run. */
export function processRows(kept: readonly Kept[], instances: Instances): ProcessRow[] {
  return kept.map(({ name, pid, restarts, running }) => {
    const instance = instances.get(name.replace(/-(\d+)$/, '.$1'))
    const state = running ? (instance?.state ?? 'running') : 'starting again'
    const owns = (instance?.actors ?? []).filter(({ id, state }) => /^(source|sink)\./.test(id) && state !== 'stopped')
    return { name, pid, restarts, state, owns: owns.map(actor => actor.id.replace(/^\w+\./, '').replace('.', '/')) }
  })
}

/** Rates come from two looks: this one and the last. A count that went back belongs to a process that began anew. */
export class RouteRates {
  #last = new Map<string, Totals>()
  #at = performance.now()

  rows(instances: Instances): RouteRow[] {
    const now = performance.now()
    const seconds = (now - this.#at) / 1000
    const totals = totalsOf(instances)
    const rows = [...totals].map(([name, total]) => {
      const last = this.#last.get(name) ?? total
      const rate = (counted: 'in' | 'out') => Math.max(0, total[counted] - last[counted]) / seconds
      const { dead, pending, latency, problem } = total
      return { name, in: rate('in'), out: rate('out'), backlog: pending, dead, latency, problem }
    })
    this.#last = totals
    this.#at = now
    return rows
  }
}

function totalsOf(instances: Instances): Map<string, Totals> {
  const routes = new Map<string, Totals>()
  for (const actor of [...instances.values()].flatMap(instance => instance.actors)) {
    const [role, route = ''] = actor.id.split('.')
    if (role !== 'source' && role !== 'sink') continue
    const total = routes.get(route) ?? { in: 0, out: 0, dead: 0, pending: 0, latency: undefined, problem: undefined }
    const counts = actor.counts ?? {}
    total.in += counts['in'] ?? 0
    total.out += counts['out'] ?? 0
    total.dead += (counts['dead'] ?? 0) + (counts['refused'] ?? 0)
    total.pending += counts['pending'] ?? 0
    total.problem ??= actor.problem?.message
    if (role === 'sink' && counts['latencyP50'] !== undefined) {
      total.latency = { p50: counts['latencyP50'], p99: counts['latencyP99'] ?? 0 }
    }
    routes.set(route, total)
  }
  return routes
}
