/** A run whose records are in Kafka before it begins: to MQTT, through mosquitto, or to another topic. */
import { startMosquitto } from '@millrace/testkit'
import { Child } from './child.ts'
import type { MqttFindings } from './mqtt-checker.ts'
import type { Place } from './place.ts'
import type { Crossed } from './report.ts'
import { costs, mapValues, PARTITIONS, payloadBytes, startChecker } from './run.ts'
import type { System } from './system.ts'

/** What a run is to do. */
export interface Crossing {
  ends: 'kafka-mqtt' | 'kafka-kafka'
  exactlyOnce: boolean
  records: number
}

/** A topic that holds so many records. */
export async function preload(place: Place, records: number): Promise<string> {
  const topic = `bench-from-${Date.now()}`
  await place.kafka.createTopic(topic, PARTITIONS)
  await using child = new Child('./preload.ts', { brokers: place.kafka.brokers, topic, records, payloadBytes })
  await child.said('done')
  return topic
}

/** Runs the system from the first record of `from` to the last. */
export async function cross(place: Place, system: System, from: string, crossing: Crossing): Promise<Crossed> {
  if (system.prepare === undefined) throw new Error(`${system.name} has no ${crossing.ends}`)
  const { ends, exactlyOnce, records } = crossing
  const topic = `bench-to-${Date.now()}`
  await place.kafka.createTopic(topic, PARTITIONS)
  await using mosquitto = await startMosquitto()
  const started = await system.prepare(place, { ends, exactlyOnce, from, topic, mqttPort: mosquitto.port })
  await using _ = started
  const arrived = ends === 'kafka-mqtt' ? await toMqtt(mosquitto.url, records) : toKafka(place, topic, records)
  const before = costs(started)
  await started.begin()
  const { seconds, after, found } = await arrived(() => costs(started))
  return {
    system: system.name,
    label: `${ends.replace('-', ' to ')}${exactlyOnce ? ', exactly once' : ''}`,
    records,
    recordsPerSecond: (found.delivered + found.duplicates) / seconds,
    cpuPerMillion: mapValues(after, ({ cpu }, process) => ((cpu - (before[process]?.cpu ?? 0)) / records) * 1e6),
    memoryMb: mapValues(after, cost => cost.peakMb),
    findings: found,
  }
}

type Found = Pick<MqttFindings, 'delivered' | 'duplicates' | 'outOfOrder' | 'lost'>
type Costs = ReturnType<typeof costs>
/** Waits until all has arrived, looks at the costs, and checks. */
type Arrival = (look: () => Costs) => Promise<{ seconds: number; after: Costs; found: Found }>

/** Subscribes, then waits for the subscriber's word. */
async function toMqtt(url: string, records: number): Promise<Arrival> {
  const checker = new Child('./mqtt-checker.ts', { url, filter: 'out/#', records, quietMs: 5_000 })
  await checker.said('ready')
  return async look => {
    await using done = checker
    const found = (await done.said('done')) as MqttFindings
    return { seconds: found.seconds, after: look(), found }
  }
}

const pollMs = 100
const stalledMs = 30_000

/** Waits for the topic's end offsets, then reads it. */
function toKafka(place: Place, topic: string, records: number): Arrival {
  return async look => {
    let [first, stored, firstAt, grewAt] = [0, 0, 0, performance.now()]
    while (stored < records && performance.now() - grewAt < stalledMs) {
      await new Promise(resolve => setTimeout(resolve, pollMs))
      const now = await place.countOf(topic)
      if (now > stored) grewAt = performance.now()
      if (first === 0 && now > 0) [first, firstAt] = [now, grewAt]
      stored = now
    }
    const after = look()
    await using checker = await startChecker(place, topic, { publishers: 1, each: records, unbuffered: false })
    const found = (await checker.said('done')) as Found
    // From the first look that found records: they came before it.
    const seconds = ((grewAt - firstAt) / 1000) * (stored / Math.max(stored - first, 1))
    return { seconds, after, found }
  }
}
