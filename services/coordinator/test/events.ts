/** What happens in the world of the model, as data that fast-check makes and shrinks. */
import * as fc from 'fast-check'
import type { RouteLanes } from '../src/wanted.ts'
import type { World } from './world.ts'

/** The instances that there may be. */
export const keys = [
  'mqtt-ingress.0',
  'mqtt-ingress.1',
  'kafka-ingress.0',
  'kafka-ingress.1',
  'kafka-egress.0',
  'kafka-egress.1',
  'kafka-egress.2',
  'kafka-egress.3',
]
const key = fc.constantFrom(...keys)
/** `k` reads Kafka: its lanes are what its lister finds. */
const name = fc.constantFrom('a', 'b', 'c', 'k')

/** Something that happens to an instance or a route. */
type Change =
  | {
      is: 'start' | 'crash' | 'stop' | 'freeze' | 'thaw' | 'cutOff' | 'reconnect' | 'drain' | 'pause' | 'resume'
      key: string
    }
  | { is: 'route'; name: string; lanes: number; version: number }
  | { is: 'retire' | 'remove'; name: string }
  | { is: 'partitions'; name: string; lanes: number | undefined }

/** Something that happens in the world. */
export type Event =
  | Change
  | { is: 'elect' }
  | { is: 'pass'; milliseconds: number }
  | {
      is: 'round'
      leader: number
      hears: string[]
      looks: string[]
      most: number
      reads: string[]
      late: boolean
      drains: string[]
    }
  | { is: 'settle' }
  | { is: 'listen'; readers: string[] }

/** What may happen to instances, leaders and routes. */
export const changes = fc.oneof(
  fc.record({
    is: fc.constantFrom('start', 'crash', 'stop', 'freeze', 'thaw', 'cutOff', 'reconnect', 'drain', 'pause', 'resume'),
    key,
  }),
  fc.record({ is: fc.constant('route'), name, lanes: fc.integer({ min: 1, max: 5 }), version: fc.nat({ max: 3 }) }),
  fc.record({ is: fc.constantFrom('retire', 'remove'), name }),
  fc.record({
    is: fc.constant('partitions'),
    name: fc.constant('k'),
    lanes: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  }),
  fc.record({ is: fc.constant('elect') }),
) as fc.Arbitrary<Event>

const some = fc.oneof(fc.constant(keys), fc.subarray(keys))
const steps = fc.oneof(
  { weight: 1, arbitrary: fc.record({ is: fc.constant('pass'), milliseconds: fc.integer({ min: 1, max: 2_500 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      is: fc.constant('round'),
      leader: fc.nat({ max: 1 }),
      hears: some,
      looks: some,
      most: fc.integer({ min: 1, max: 20 }),
      reads: some,
      late: fc.boolean(),
      drains: some,
    }),
  },
) as fc.Arbitrary<Event>

const settle = fc.constant<Event>({ is: 'settle' })
const listen = fc.record({ is: fc.constant('listen'), readers: fc.subarray(keys) }) as fc.Arbitrary<Event>
/** Anything, in any order: changes, and the small steps by which they are noticed. */
export const happenings = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: changes },
    { weight: 24, arbitrary: steps },
    { weight: 4, arbitrary: settle },
    { weight: 1, arbitrary: listen },
  ),
  { maxLength: 60, size: 'max' },
)

/** Makes it happen. */
export function apply(world: World, event: Event): void {
  if (event.is === 'pass') world.pass(event.milliseconds)
  else if (event.is === 'elect') world.elect()
  else if (event.is === 'settle') world.settle()
  else if (event.is === 'listen') world.listen(event.readers)
  else if (event.is === 'round') round(world, event)
  else change(world, event)
}

/** Some instances are heard, some documents looked at; one leader acts on that; some instances notice. */
function round(world: World, event: Extract<Event, { is: 'round' }>): void {
  const leader = world.leaders.at(-1 - event.leader)
  if (leader === undefined) return
  for (const key of event.hears) {
    world.beat(key)
    world.hear(leader, key)
  }
  for (const key of event.looks) world.look(leader, key)
  world.act(leader, event.most)
  for (const key of event.reads) {
    if (event.late) world.readLate(key)
    else world.read(key)
    world.checkOwners()
  }
  for (const key of event.drains) world.processes.get(key)?.finishDrains()
}

function change(world: World, event: Change): void {
  if (event.is === 'route') return setRoute(world, event)
  if (event.is === 'partitions') return setPartitions(world, event)
  if ('name' in event) return endRoute(world, event)
  const process = world.processes.get(event.key)
  if (event.is === 'start') return world.start(event.key)
  if (process === undefined || !process.alive) return
  if (event.is === 'crash') process.alive = false
  if (event.is === 'freeze') process.frozen = true
  if (event.is === 'thaw') process.frozen = false
  if (event.is === 'cutOff') process.cutOff = true
  if (event.is === 'reconnect') process.cutOff = false
  if (event.is === 'drain') process.state = 'draining'
  if (event.is === 'pause') process.state = 'paused'
  if (event.is === 'resume') process.state = 'running'
  if (event.is === 'stop' && process.acts) {
    process.running.clear()
    process.draining.clear()
    process.state = 'stopped'
    world.beat(event.key)
    process.alive = false
  }
  process.fence(world.now)
}

/** What the lister finds from now on; undefined: it does not know yet. */
function setPartitions(world: World, { name, lanes }: { name: string; lanes: number | undefined }): void {
  if (lanes === undefined) world.partitions.delete(name)
  else world.partitions.set(name, numbered('t/', lanes))
}

function numbered(prefix: string, length: number): string[] {
  return Array.from({ length }, (_, lane) => `${prefix}${lane}`)
}

function setRoute(world: World, { name, lanes, version }: { name: string; lanes: number; version: number }): void {
  const before = world.routes.get(name)
  const lister = name === 'k'
  const wants = lister ? [...(before?.lanes ?? []), ...(before?.retiring ?? [])] : numbered('', lanes)
  const given = [...(before?.lanes ?? []), ...(before?.retiring ?? [])].filter(lane => !wants.includes(lane))
  const route: RouteLanes = {
    name,
    uid: `uid-${name}`,
    version: (before?.version ?? 0) + version,
    source: lister ? 'kafka-ingress' : 'mqtt-ingress',
    sink: 'kafka-egress',
    lister,
    lanes: wants,
    retiring: given,
  }
  world.routes.set(name, route)
}

function endRoute(world: World, { is, name }: { is: 'retire' | 'remove'; name: string }): void {
  const route = world.routes.get(name)
  if (route === undefined) return
  if (is === 'remove') world.routes.delete(name)
  else world.routes.set(name, { ...route, lister: false, lanes: [], retiring: [...route.lanes, ...route.retiring] })
}
