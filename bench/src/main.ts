/**
 * `npm run bench`: MQTT to Kafka on real servers, from a fast source and through mosquitto, at full rate, at half of
 * it, and at 2,000 records a second; then from Kafka to MQTT and to Kafka; with `--peer bento`, Bento beside it, turn by
 * turn. Prints tables; `--json FILE` writes all that was measured.
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { ensureTools } from '@millrace/local'
import { bentoOneHop, bentoTwoHops, requireBento } from './bento.ts'
import { Child } from './child.ts'
import { millrace } from './millrace.ts'
import { openPlace, type Place } from './place.ts'
import { type Crossing, cross, preload } from './from-kafka.ts'
import { type Crossed, crossedHeader, crossedRow, header, type Measured, row } from './report.ts'
import { run, type Scenario, startLoad, topicFilter } from './run.ts'
import type { System } from './system.ts'

const LOW_RATE = 2_000
/** Half of what is asked for as the least from a fast source; half of what is reached may be more than 2 cores can check. */
const MIDDLE_RATE = 60_000
const PUBLISHERS = 4

/** A multiple of the publishers, so that each has the same share. */
const whole = (records: number) => Math.ceil(records / PUBLISHERS) * PUBLISHERS

const { values: options } = parseArgs({
  options: {
    peer: { type: 'string' },
    json: { type: 'string' },
    source: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '20' },
    turns: { type: 'string', default: '1' },
    'only-full': { type: 'boolean', default: false },
  },
})
if (options.peer !== undefined && options.peer !== 'bento')
  throw new Error(`--peer ${options.peer}: only bento is known`)
if (options.peer === 'bento') requireBento()
const seconds = Number(options.seconds)
const systems: System[] = options.peer === 'bento' ? [millrace, bentoOneHop, bentoTwoHops] : [millrace]
const sources = options.source ?? ['fast', 'mosquitto', 'kafka']

/** What each system is expected to manage at most; how long a full-rate run takes follows from it. */
const expected: Record<Scenario['source'], Record<string, number>> = {
  fast: { [millrace.name]: 150_000, [bentoOneHop.name]: 17_000, [bentoTwoHops.name]: 7_000 },
  mosquitto: { [millrace.name]: 45_000, [bentoOneHop.name]: 16_000, [bentoTwoHops.name]: 8_000 },
}

function sourceNamed(name: string): Scenario['source'] {
  if (name === 'fast' || name === 'mosquitto') return name
  throw new Error(`--source ${name}: expected fast, mosquitto or kafka`)
}

async function bareSubscriber(): Promise<number> {
  const records = whole((expected.mosquitto[millrace.name] ?? 0) * seconds)
  await using load = await startLoad({ source: 'mosquitto', rate: 0, records })
  const orders = { url: `mqtt://127.0.0.1:${load.mqttPort}`, topics: [topicFilter], total: records }
  await using subscriber = new Child('./mqttjs-subscriber.ts', orders)
  await subscriber.said('ready')
  load.go()
  const { seconds: took } = (await subscriber.said('done')) as { seconds: number }
  return records / took
}

/** One system from one source: full rate, then half of what it reached, a rate in the middle if that is far, the low one. */
async function measure(place: Place, system: System, source: Scenario['source']): Promise<Measured[]> {
  const full = await run(place, system, {
    source,
    rate: 0,
    records: whole((expected[source][system.name] ?? 0) * seconds),
  })
  if (source === 'mosquitto') full.bareSubscriber = await bareSubscriber()
  print(full)
  if (options['only-full']) return [full]
  const measured = [full]
  const half = Math.round(full.recordsPerSecond / 2)
  for (const rate of half > 1.5 * MIDDLE_RATE ? [half, MIDDLE_RATE, LOW_RATE] : [half, LOW_RATE]) {
    const slower = await run(place, system, { source, rate, records: whole(rate * seconds) })
    print(slower)
    measured.push(slower)
  }
  return measured
}

function print(measured: Measured): void {
  process.stdout.write(`${row(measured)}\n`)
}

/** What each system is expected to manage at most from Kafka. */
const crossings: { ends: Crossing['ends']; exactlyOnce: boolean; expected: Record<string, number> }[] = [
  { ends: 'kafka-mqtt', exactlyOnce: false, expected: { [millrace.name]: 40_000, [bentoOneHop.name]: 6_000 } },
  { ends: 'kafka-kafka', exactlyOnce: false, expected: { [millrace.name]: 150_000, [bentoOneHop.name]: 30_000 } },
  { ends: 'kafka-kafka', exactlyOnce: true, expected: { [millrace.name]: 150_000 } },
]

/** Every system from a full topic to MQTT, and to another topic. */
async function measureFromKafka(place: Place): Promise<Crossed[]> {
  process.stdout.write(`\n${crossedHeader}\n`)
  const measured: Crossed[] = []
  for (const { ends, exactlyOnce, expected } of crossings) {
    for (const system of systems.filter(({ name }) => name in expected)) {
      const records = whole((expected[system.name] ?? 0) * seconds)
      const crossed = await cross(place, system, await preload(place, records), { ends, exactlyOnce, records })
      process.stdout.write(`${crossedRow(crossed)}\n`)
      measured.push(crossed)
    }
  }
  return measured
}

const measured: (Measured | Crossed)[] = []
await ensureTools(['kcat'])
await using place = await openPlace()
process.stdout.write(
  `${cpus().length} cores (${cpus()[0]?.model}), Node ${process.versions.node}, 200-byte payloads\n\n${header}\n`,
)
for (let turn = 0; turn < Number(options.turns); turn += 1) {
  for (const source of sources) {
    if (source === 'kafka') measured.push(...(await measureFromKafka(place)))
    else for (const system of systems) measured.push(...(await measure(place, system, sourceNamed(source))))
  }
}
if (options.json !== undefined) await writeFile(options.json, JSON.stringify(measured, undefined, 2))
