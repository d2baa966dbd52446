/**
 * `npm run bench:lanes`: what many lanes cost. Starts Kafka, nats-server and two instances of each service, applies routes
 * from Kafka to Kafka with so many partitions, and measures one thing after the other: how long until all lanes run, what
 * they cost while nothing comes, how long until another instance has taken the lanes of one that was killed, and how fast
 * records that wait in all of them go through.
 */
import { parseArgs } from 'node:util'
import { mapValues } from './run.ts'
import { Child } from './child.ts'
import { type ManyLanes, startManyLanes } from './many-lanes.ts'
import { openPlace, type Place } from './place.ts'

const { values: options } = parseArgs({
  options: {
    routes: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '500' },
    instances: { type: 'string', default: '2' },
    records: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '200' },
    idle: { type: 'string', default: '30' },
    kill: { type: 'boolean', default: false },
  },
})
const [routes, lanes, instances] = [Number(options.routes), Number(options.lanes), Number(options.instances)]
const [records, payloadBytes] = [Number(options.records), Number(options.bytes)]

await using place = await openPlace()
await using many = await startManyLanes(place, { routes, lanes, instances })
say(`${routes} routes with ${lanes} lanes each, ${instances} instances of each service`)

const started = await cost(many, () => many.apply())
say(`from apply to all lanes running: ${started.seconds.toFixed(1)} s; ${figures(started.cpu, 's', 1)}`)
say(`bytes of the largest heartbeat: ${many.largest.heartbeat}, assignment: ${many.largest.assignment}`)
await idle(many)
if (records > 0) await load(place, many)
if (options.kill) await takeOver(many)
say(`peak MB: ${figures(many.peakMb(), '', 0)}`)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function figures(values: Record<string, number>, unit: string, digits: number): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}${unit && ` ${unit}`}`)
    .join(', ')
}

/** CPU seconds of each process while something is done, and how long it took. */
async function cost(
  of: ManyLanes,
  act: () => Promise<void>,
): Promise<{ seconds: number; cpu: Record<string, number> }> {
  const before = of.cpu()
  const begun = performance.now()
  await act()
  const seconds = (performance.now() - begun) / 1_000
  return { seconds, cpu: mapValues(of.cpu(), (after, name) => after - (before[name] ?? 0)) }
}

async function idle(of: ManyLanes): Promise<void> {
  const milliseconds = Number(options.idle) * 1_000
  const before = await of.traffic()
  const { seconds, cpu } = await cost(of, () => new Promise(resolve => setTimeout(resolve, milliseconds)))
  const after = await of.traffic()
  say(
    `idle, CPU s a minute: ${figures(
      mapValues(cpu, used => (used / seconds) * 60),
      '',
      1,
    )}`,
  )
  say(
    `idle, NATS a second: ${figures(
      mapValues(after, (now, name) => (now - (before[name] ?? 0)) / seconds),
      '',
      0,
    )}`,
  )
}

/** All records wait when reading begins. */
async function load(at: Place, of: ManyLanes): Promise<void> {
  await of.pause()
  for (const [index, topic] of of.sources.entries()) {
    const share = Math.ceil((records * (index + 1)) / routes) - Math.ceil((records * index) / routes)
    const orders = { brokers: at.kafka.brokers, topic, records: share, payloadBytes, partitions: lanes }
    await using filler = new Child('./preload.ts', orders)
    await filler.said('done')
  }
  const { seconds, cpu } = await cost(of, () => of.drain(records))
  say(`${records} records of ${payloadBytes} bytes: ${Math.round(records / seconds)} a second`)
  say(
    `CPU s per million: ${figures(
      mapValues(cpu, used => (used / records) * 1e6),
      '',
      1,
    )}`,
  )
}

async function takeOver(of: ManyLanes): Promise<void> {
  const { seconds, cpu } = await cost(of, () => of.killOne())
  say(`until the lanes of a killed kafka-ingress and kafka-egress run elsewhere: ${seconds.toFixed(1)} s`)
  say(`CPU s meanwhile: ${figures(cpu, '', 1)}`)
}
