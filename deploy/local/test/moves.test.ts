/**
 * Instances come and go while messages flow: which lanes move, how long that takes, and that it is seen neither in the
 * lanes nor in Kafka. Somebody outside watches the lanes, which are trimmed all the time.
 */
import {
  Bucket,
  dataStream,
  leaderDocument,
  positionDocument,
  type PositionDocument,
  positionKey,
  streamInfo,
} from '@millrace/bus'
import { eventually, Ledger, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstance } from '../up/fleet.ts'
import type { Kept } from '../up/keep.ts'
import { leaderOf, sigkill } from './faults.ts'
import { type LaneWatcher, watchLanes } from './lane-watcher.ts'
import { millrace } from './observe.ts'
import { type Move, ownedBy, type Placed, Placement } from './placement.ts'
import { numberOf, publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

const routes = ['left', 'right', 'shared']
const lanes = ['left.0', 'right.0', 'shared.0', 'shared.1']
const actors = lanes.flatMap(lane => [`source.${lane}`, `sink.${lane}`])
const services = ['mqtt-ingress', 'kafka-egress'] as const

let whole: Whole
let placement: Placement
let watcher: LaneWatcher
let tallies: Tally[]
let flowing: Promise<unknown>
let placed: Placed
/** Every position of a sink that was committed, in the order of each key. */
const positions = new Map<string, PositionDocument[]>()
/** The instances that may have lanes. */
const live = services.flatMap(service => [1, 2, 3].map(number => `${service}.${number}`))
const over = new AbortController()
const watching = new AbortController()
const told: string[] = []

beforeAll(async () => {
  whole = await startWhole({ instances: { coordinator: 3, 'mqtt-ingress': 3, 'kafka-egress': 3 } })
  const shared = ledgerRoute('shared', { source: 'subscribers: 2', sink: 'partition: lane' })
  await whole.apply([ledgerRoute('left'), ledgerRoute('right'), shared].join('---'))
  watcher = await watchLanes(whole, routes)
  placement = new Placement(whole, actors, watching.signal)
  void new Bucket(whole.bus, 'mr_positions', positionDocument).watch('>', watching.signal, {
    changed: ({ key, value }) => value && positions.set(key, [...(positions.get(key) ?? []), value]),
  })
  placed = await placement.settled(live)
  tallies = routes.map(route => new Tally(whole, route))
  const load = { publishers: 4, each: 1, until: over.signal, qos: 1, rate: 300 } as const
  const { url } = whole.mosquitto
  flowing = Promise.all(tallies.map(({ ledger }, at) => publish({ url, root: routes[at] ?? '', ...load, ledger })))
})
afterAll(async () => {
  over.abort()
  watching.abort()
  await flowing
  await watcher?.[Symbol.asyncDispose]()
  await whole?.[Symbol.asyncDispose]()
})

/** Hurts the system, and waits until it has settled. Returns what moved, and notes it for the report. */
async function movesAfter(what: string, act: () => Promise<{ term?: number } | void>): Promise<Move[]> {
  const before = placed
  const since = performance.now()
  const { term = 0 } = (await act()) ?? {}
  placed = await placement.settled(live, { term })
  const moves = placement.moves(before, placed, since)
  for (const { epochs } of moves) expect(epochs[1]).toBeGreaterThan(epochs[0])
  told.push(`${what}: ${moves.length} moves`, ...moves.map(line))
  return moves
}

function line({ actor, from, to, epochs: [, epoch], milliseconds, stoodStill }: Move): string {
  const still = stoodStill === undefined ? '' : `, stood still for ${Math.round(stoodStill)} ms`
  return `  ${actor.padEnd(16)} ${from} -> ${to}, epoch ${epoch}, runs after ${Math.round(milliseconds)} ms${still}`
}

const movedIn = (moves: Move[]) => moves.map(({ actor }) => actor).sort()

/** The instance of a service that has most, and what it has. From now on it may have nothing. */
function takeBusiest(service: string): { key: string; had: string[] } {
  const candidates = live.filter(key => key.startsWith(service)).map(key => ({ key, had: ownedBy(placed, key) }))
  const busiest = candidates.reduce((most, one) => (one.had.length > most.had.length ? one : most))
  live.splice(live.indexOf(busiest.key), 1)
  return busiest
}

const serviceOf = (key: string) => whole.service(key.replace('.', '-'))

/** SIGKILL, and never started again: whoever keeps it running is stopped before it can see that it died. */
async function killForGood(service: Kept): Promise<void> {
  sigkill(service)
  await service.stop()
}

/** Kills the leading coordinator for good. Returns the term of the next one. */
async function killLeader(): Promise<{ term: number }> {
  const leader = new Bucket(whole.bus, 'mr_leader', leaderDocument)
  const before = (await leader.read('leader'))?.value.term ?? NaN
  const since = performance.now()
  await killForGood(await leaderOf(whole))
  const next = async () => {
    const term = (await leader.read('leader'))?.value.term ?? 0
    return term > before ? { term } : undefined
  }
  const what = 'another coordinator leads'
  const taken = await eventually(next, { what, timeout: 20_000 })
  told.push(`${what} after ${Math.round(performance.now() - since)} ms`)
  return taken
}

test('SIGKILL of one mqtt-ingress and one kafka-egress: what they had goes elsewhere, nothing else moves', async () => {
  const gone = services.map(takeBusiest)
  const moves = await movesAfter(`SIGKILL of ${gone.map(({ key }) => key).join(' and ')}`, async () => {
    await Promise.all(gone.map(({ key }) => killForGood(serviceOf(key))))
  })
  expect(movedIn(moves)).toEqual(gone.flatMap(({ had }) => had).sort())
  expect(new Set(moves.map(({ from }) => from))).toEqual(new Set(gone.map(({ key }) => key)))
  // They were killed indeed, and had no time to say that they stop.
  const instances = await whole.instances()
  expect(gone.map(({ key }) => instances.get(key)?.state)).toEqual(['running', 'running'])
})

test('one more instance of each: no more moves than balance needs', async () => {
  const added = services.map(service => `${service}.4`)
  const moves = await movesAfter(`${added.join(' and ')} added (their start included)`, async () => {
    live.push(...added)
    whole.services.push(...(await Promise.all(services.map(service => startInstance(service, 4, whole.fleet)))))
  })
  expect(moves.map(({ to }) => to).sort()).toEqual(added.toSorted())
})

test('millrace drain of one of each: it gives away what it has, and nothing else moves', async () => {
  const drained = services.map(takeBusiest)
  const moves = await movesAfter(
    `millrace drain of ${drained.map(({ key }) => key).join(' and ')} (its start included)`,
    async () => {
      const said = await Promise.all(drained.map(({ key }) => millrace(whole.fleet, 'drain', key)))
      expect(said.map(({ code }) => code)).toEqual([0, 0])
    },
  )
  expect(movedIn(moves)).toEqual(drained.flatMap(({ had }) => had).sort())
})

test('SIGKILL of the leading coordinator: the next one leaves everything where it is', async () => {
  expect(await movesAfter('SIGKILL of the leading coordinator', killLeader)).toEqual([])
})

test('SIGKILL of the leading coordinator and of a kafka-egress at once', async () => {
  const { key, had } = takeBusiest('kafka-egress')
  const moves = await movesAfter(`SIGKILL of the leading coordinator and of ${key}`, async () => {
    const [term] = await Promise.all([killLeader(), killForGood(serviceOf(key))])
    return term
  })
  expect(movedIn(moves)).toEqual(had.sort())
})

/** Asks Kafka alone: the last heartbeats of those that were killed stay as they are. */
async function untilAllArrived(tally: Tally, route: string): Promise<void> {
  const arrived = async () => {
    await tally.arrive(0)
    return tally.ledger.report().lost.length === 0
  }
  await eventually(arrived, { what: `all of ${route} is delivered`, interval: 200, timeout: 30_000 })
}

test('nothing is lost, and order is kept in each lane', async () => {
  over.abort()
  await flowing
  for (const [at, tally] of tallies.entries()) await untilAllArrived(tally, routes[at] ?? '')
  for (const { ledger } of tallies) expect(ledger.report().lost).toEqual([])
  for (const { ledger } of tallies.slice(0, 2)) expect(ledger.report().outOfOrder).toEqual([])
  // Two subscribers share this route's messages: order is that of a lane, which is a partition.
  const laneByLane = new Ledger()
  await whole.kafka.forEach('shared', ({ key, value, partition }) => {
    const number = numberOf(String(key), value ?? Buffer.alloc(0))
    laneByLane.delivered(`${String(key)} of lane ${partition}`, number)
  })
  const shared = laneByLane.report().outOfOrder
  expect(shared).toEqual([])
  told.push(...tallies.slice(0, 2).map(String), `${String(tallies[2])} (of all lanes; in a lane: ${shared.length})`)
})

test('seen from outside: epochs and mr-base never went back while the lanes were trimmed, and the sums agree', async () => {
  expect([...watcher.lanes.keys()].sort()).toEqual(lanes)
  for (const [key, lane] of watcher.lanes) {
    const [route = '', name = ''] = key.split('.')
    const committed = () => positions.get(positionKey({ service: 'kafka-egress', route, lane: name })) ?? []
    const ended = () => sum(committed().at(-1)) === lane.records
    await eventually(ended, { what: `in = out + dead + filtered + parked of ${key}` })
    for (const position of committed().filter(({ sequence }) => sequence > 0)) {
      expect(sum(position), `records up to ${position.sequence} of ${key}`).toBe(lane.after.get(position.sequence))
    }
    const { dead, filtered } = committed().at(-1)?.totals ?? { dead: NaN, filtered: NaN }
    const seen = `${lane.messages} messages with ${lane.records} records, ${committed().length} positions`
    told.push(`${key} from outside: ${seen}; dead ${dead}, filtered ${filtered}, last epoch ${lane.epoch}`)
  }
  for (const route of routes) {
    const seen = [...watcher.lanes].filter(([key]) => key.startsWith(`${route}.`))
    const messages = seen.reduce((total, [, lane]) => total + lane.messages, 0)
    const trimmed = async () => (await left(route)) < messages / 2
    await eventually(trimmed, { what: `${route} is trimmed` })
    told.push(`${route}: ${messages} messages were seen, ${await left(route)} are left`)
  }
  print('moves of 4 sources and 4 sinks of 3 routes among 3 instances of each service, under load', told)
  expect(watcher.wrong).toEqual([])
  expect(placement.wrong).toEqual([])
})

const sum = (position: PositionDocument | undefined) =>
  Object.values(position?.totals ?? {}).reduce((total, count) => total + count, 0)
const left = async (route: string) => (await streamInfo(whole.bus, dataStream(route)))?.state.messages ?? NaN
