/** One run: one system, one source, one rate. Load from outside, costs from the kernel, findings from a checker. */
import { startMosquitto } from '@millrace/testkit'
import { connectAsync } from 'mqtt'
import type { Findings } from './checker.ts'
import { Child } from './child.ts'
import { cpuSeconds, memoryMb } from './cpu.ts'
import type { Place } from './place.ts'
import type { Measured } from './report.ts'
import type { Started, System } from './system.ts'

/** What a run is to do. */
export interface Scenario {
  source: 'fast' | 'mosquitto'
  /** Records a second; 0: as many as possible. */
  rate: number
  records: number
}

export const payloadBytes = 200
export const topicFilter = 'sensors/+/telemetry'
const topics = Array.from({ length: 100 }, (_, index) => `sensors/d${index}/telemetry`)
export const PARTITIONS = 4
const CONNECTIONS = 4
const WINDOW = 1_000
/** From this rate on, records a second, what waits in a consumer's output buffer of 4 KiB waits less than a millisecond. */
const FULL_BUFFERS = 20_000

/** Runs the system under the load and returns what it did and cost. At a given rate the checker reads along. */
export async function run(place: Place, system: System, scenario: Scenario): Promise<Measured> {
  const topic = `bench-${system.name.replace(/\W+/g, '-')}-${scenario.source}-${scenario.rate}-${Date.now()}`
  await place.kafka.createTopic(topic, PARTITIONS, { 'message.timestamp.type': 'LogAppendTime' })
  await using load = await startLoad(scenario)
  await using started = await system.start(place, { ends: 'mqtt-kafka', topic, mqttPort: load.mqttPort })
  await load.ready()
  const publishers = scenario.source === 'fast' ? 1 : CONNECTIONS
  const unbuffered = scenario.rate > 0 && scenario.rate < FULL_BUFFERS
  const check = { publishers, each: scenario.records / publishers, unbuffered }
  const live = scenario.rate === 0 ? undefined : await startChecker(place, topic, check)
  const before = costs(started)
  const begun = performance.now()
  load.go()
  const seconds = (await untilStored(place, topic, scenario.records, begun)) / 1000
  const after = costs(started)
  await using checker = live ?? (await startChecker(place, topic, check))
  const findings = (await checker.said('done')) as Findings
  const stored = findings.delivered + findings.duplicates
  return {
    system: system.name,
    ...scenario,
    recordsPerSecond: stored / seconds,
    cpuPerMillion: mapValues(after, (cost, name) => ((cost.cpu - (before[name]?.cpu ?? 0)) / stored) * 1e6),
    memoryMb: mapValues(after, cost => cost.peakMb),
    findings,
  }
}

interface Load extends AsyncDisposable {
  mqttPort: number
  /** Resolves when the system under test has subscribed. */
  ready(): Promise<void>
  go(): void
}

/**
 * The load for one scenario, connected and waiting for `go`. Each run has a mosquitto of its own: sessions that an
 * earlier one left would go on being fed.
 */
export async function startLoad(scenario: Scenario): Promise<Load> {
  const orders = { publisher: 0, total: scenario.records, rate: scenario.rate, payloadBytes, topics }
  if (scenario.source === 'fast') {
    const source = new Child('./fast-source.ts', orders)
    const mqttPort = (await source.said('port')) as number
    return loadOf(source, mqttPort, async () => void (await source.said('subscribed')))
  }
  const mosquitto = await startMosquitto({ extra: 'sys_interval 1' })
  const { port } = mosquitto
  const publisher = new Child('./publisher.ts', { port, connections: CONNECTIONS, window: WINDOW, load: orders })
  await publisher.said('ready')
  const load = loadOf(publisher, port, () => subscribed(port))
  return {
    ...load,
    [Symbol.asyncDispose]: async () => {
      await load[Symbol.asyncDispose]()
      await mosquitto[Symbol.asyncDispose]()
    },
  }
}

function loadOf(child: Child, mqttPort: number, ready: () => Promise<void>): Load {
  return {
    mqttPort,
    ready,
    go: () => child.tell({ go: true }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** Waits until the broker itself counts a subscription besides this one: the same sign for every system. */
async function subscribed(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  await new Promise<void>(resolve => {
    client.on('message', (_, payload) => Number(payload.toString()) >= 2 && resolve())
    void client.subscribeAsync('$SYS/broker/subscriptions/count')
  })
  await client.endAsync()
}

/** Starts reading a topic of these publishers, or of one that filled another topic before. */
export function startChecker(
  place: Place,
  topic: string,
  check: { publishers: number; each: number; unbuffered: boolean },
): Promise<Child> {
  const orders = { brokers: place.kafka.brokers, topic, partitions: PARTITIONS, quietMs: 3_000, ...check }
  const checker = new Child('./checker.ts', orders)
  return checker.said('ready').then(() => checker)
}

const POLL_MS = 100
const STALLED_MS = 20_000

/** Waits until Kafka holds so many records, or no more come. Returns milliseconds from `begun` to the last seen growth. */
async function untilStored(place: Place, topic: string, records: number, begun: number): Promise<number> {
  let stored = 0
  let grewAt = performance.now()
  while (stored < records && performance.now() - grewAt < STALLED_MS) {
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
    const now = await place.countOf(topic)
    if (now > stored) grewAt = performance.now()
    stored = now
  }
  return grewAt - begun
}

export type Costs = Record<string, { cpu: number; peakMb: number }>

/** What each process has cost so far. */
export function costs(started: Started): Costs {
  return mapValues(started.processes, pid => ({ cpu: cpuSeconds(pid), peakMb: memoryMb(pid).peak }))
}

export function mapValues<In, Out>(
  from: Record<string, In>,
  to: (value: In, name: string) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, to(value, name)]))
}
